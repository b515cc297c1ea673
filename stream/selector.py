"""Which events a person means: by partition and offsets, by time, by key, by a condition on fields; all together."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stream.errors import ConfigError
from stream.fields import FieldFault
from stream.log import Format, Span
from stream.times import microseconds
from stream.where import fields_of, read_where

Stretches = Mapping[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector: an event must meet each part that is there. Times in microseconds since 1970, half-open.

    Whoever names offsets means just these. All else stays open: it means events that are yet to come, too.

    >>> s7 = read_selector(offsets=["0:5-9"], where="sensor == 's7'")
    >>> s7.offsets, s7.told()
    ({0: ((5, 9),)}, "offsets 0:5-9; where sensor == 's7'")
    >>> Selector.from_json(s7.to_json()) == s7
    True
    """

    offsets: Stretches = field(default_factory=dict)
    from_us: int | None = None
    to_us: int | None = None
    key: str | None = None
    where: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values: only the parts that are there."""
        stretches = [[partition, *each] for partition, several in sorted(self.offsets.items()) for each in several]
        parts = {"offsets": stretches or None, "from_us": self.from_us, "to_us": self.to_us}
        return {
            name: value for name, value in {**parts, "key": self.key, "where": self.where}.items() if value is not None
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Selector:
        """Read back what `to_json` gave."""
        offsets: dict[int, list[tuple[int, int]]] = {}
        for partition, start, stop in value.get("offsets", ()):
            offsets.setdefault(partition, []).append((start, stop))
        stretches = {partition: tuple(several) for partition, several in offsets.items()}
        return cls(stretches, *(value.get(name) for name in ("from_us", "to_us", "key", "where")))

    def told(self) -> str:
        """Say it in words."""
        parts = [
            f"offsets {p}:{start}-{stop}" for p, several in sorted(self.offsets.items()) for start, stop in several
        ]
        parts += [f"from {_iso(self.from_us)}"] if self.from_us is not None else []
        parts += [f"to {_iso(self.to_us)}"] if self.to_us is not None else []
        parts += [f"key {self.key!r}"] if self.key is not None else []
        return "; ".join(parts + ([f"where {self.where}"] if self.where is not None else []))


def read_selector(
    *,
    offsets: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    key: str | None = None,
    where: str | None = None,
) -> Selector:
    """Read what a person wrote: offsets as PARTITION:START-STOP (half-open), ISO times. Raises `ConfigError`."""
    stretches: dict[int, list[tuple[int, int]]] = {}
    for text in offsets:
        found = re.fullmatch(r"(\d{1,10}):(\d{1,19})(?:-(\d{1,19}))?", text.strip())
        start, stop = (int(found[2]), int(found[3] or int(found[2]) + 1)) if found else (0, 0)
        if found is None or start >= stop:
            raise ConfigError(
                f"expected offsets as PARTITION:START-STOP, half-open, found {text!r}",
                "for example --offsets 0:100-200",
            )
        stretches.setdefault(int(found[1]), []).append((start, stop))
    if where is not None:
        read_where(where)
    from_us, to_us = (None if text is None else moment_of(text) for text in (since, until))
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise ConfigError(f"expected --from before --to, found {since} and {until}", "the end is not part of the range")
    ranges = {partition: tuple(sorted(several)) for partition, several in stretches.items()}
    selector = Selector(ranges, from_us, to_us, key, where)
    if selector == Selector():
        raise ConfigError(
            "expected which events are meant, found nothing",
            "name --offsets, --from and --to, --key or --where, alone or together",
        )
    return selector


Moments = Callable[[Span], Sequence[int | None]]


class Matcher:
    """A selector applied to the spans of one log; `moments` reads the times of a span's events."""

    def __init__(self, selector: Selector, form: Format, moments: Moments) -> None:
        self._selector = selector
        self._moments = moments
        self._timed = selector.from_us is not None or selector.to_us is not None
        self._key = None if selector.key is None else selector.key.encode()
        self._where = None if selector.where is None else read_where(selector.where)
        self._test = None if self._where is None else self._where.on(form)
        self._read = None if self._where is None else fields_of(self._where.names, form)

    def places(self, span: Span) -> list[int]:
        """Return the places in the span of the events that are meant."""
        places = list(range(len(span)))
        selector = self._selector
        if selector.offsets:
            found: set[int] = set()
            for start, stop in selector.offsets.get(span.partition, ()):
                found.update(range(bisect_left(span.offsets, start), bisect_left(span.offsets, stop)))
            places = sorted(found)
        if self._key is not None:
            places = [i for i in places if span.keys[i] == self._key]
        if self._timed and places:
            moments = self._moments(span)
            first, last = selector.from_us, selector.to_us
            places = [
                i
                for i in places
                if (at := moments[i]) is not None and (first is None or first <= at) and (last is None or at < last)
            ]
        if self._test is not None and self._read is not None:
            places = [i for i in places if self._test(self._read(span.values[i]))]
        return places


def moment_of(text: str) -> int:
    """Read a time as a person writes it: less than the whole of an ISO time will do.

    >>> moment_of("1970-01-01T00:01"), moment_of("1970-01-02"), moment_of("60")
    (60000000, 86400000000, 60000000)
    """
    try:
        return microseconds("time", text, text=True)
    except FieldFault as found:
        try:
            return microseconds("time", datetime.fromisoformat(text))
        except ValueError:
            raise ConfigError(
                f"expected an ISO time or seconds since 1970, found {text!r}", "for example 2026-03-01T03:10:00Z"
            ) from found


def _iso(moment: int | None) -> str:
    assert moment is not None
    try:
        return datetime.fromtimestamp(moment / 1e6, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{moment / 1e6:g} s"
