"""When an event is asked and when its label is due, where labels come later. Times are microseconds since 1970, UTC.

A time is an ISO time or a number of seconds since 1970. An ISO time without an offset is UTC, so that files of one zone
keep their order; mixed with times that have one, each is taken as it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import gt
from typing import Any

import msgspec

from stream.fields import FieldFault
from stream.schema import TimeFields, present

Times = tuple[int, int | None]
"""When an event is asked, and when its label is due: None if nobody knows yet."""

WHOLE_TIME = datetime | int | float
"""The type by which msgspec reads a time that is as it should be."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WITHOUT_ZONE = _EPOCH.replace(tzinfo=None)
_MICROSECOND = timedelta(microseconds=1)
_SECONDS_MAX = 253_402_300_800
"""The end of the year 9999."""


def microseconds(name: str, value: Any, *, text: bool = False) -> int:
    """Read a time. Raises `FieldFault`.

    >>> microseconds("at", "1970-01-01T00:00:01.5Z"), microseconds("at", 2), microseconds("at", "3", text=True)
    (1500000, 2000000, 3000000)
    """
    if isinstance(value, str):
        value = _from_text(name, value, text=text)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MICROSECOND
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _SECONDS_MAX:
        raise FieldFault("time_type", f"{name}: expected an ISO time or seconds since 1970, found {value!s:.50}")
    return value * 1_000_000 if isinstance(value, int) else round(value * 1_000_000)


def _from_text(name: str, value: str, *, text: bool) -> Any:
    try:
        return msgspec.convert(value, datetime)
    except (msgspec.ValidationError, ValueError):
        pass
    if text:  # a cell of a CSV file may be a number
        try:
            return msgspec.convert(value, int | float, strict=False)
        except (msgspec.ValidationError, ValueError):
            pass
    raise FieldFault("time_type", f"{name}: expected an ISO time or seconds since 1970, found {value!r:.50}")


def alike(values: Sequence[Any]) -> list[int] | None:
    """Return many times in microseconds at a fraction of the cost; None unless all are written in one way.

    >>> alike([1, 2]), alike([1, None]), alike([datetime(1970, 1, 2), datetime(1970, 1, 3)])
    ([1000000, 2000000], None, [86400000000, 172800000000])
    """
    kinds = set(map(type, values))
    if kinds == {int} and max(map(abs, values)) <= _SECONDS_MAX:
        return [value * 1_000_000 for value in values]
    zones = {value.tzinfo for value in values} if kinds == {datetime} else {None, UTC}
    if zones == {None}:
        return [(value - _EPOCH_WITHOUT_ZONE) // _MICROSECOND for value in values]
    return None if None in zones else [(value - _EPOCH) // _MICROSECOND for value in values]


TIME_AHEAD = "time_ahead"
"""The reason code of a record with a time too far ahead of now: one would put the event clock there for ever."""


class TimeReader:
    """Reads the two times of an event. An event's time beyond `latest` is a fault; None: none is."""

    def __init__(self, fields: TimeFields, *, text: bool) -> None:
        self._fields = fields
        self._text = text
        self.latest: int | None = None

    def read(self, value: Mapping[str, Any], stamp_ms: int | None) -> Times:
        """Read them from an event's fields; `stamp_ms` is the record's own time. Raises `FieldFault`."""
        moment = None if self._fields.moment is None else value.get(self._fields.moment)
        return self.of(moment, None if self._fields.arrival is None else value.get(self._fields.arrival), stamp_ms)

    def of(self, moment: Any, arrival: Any, stamp_ms: int | None) -> Times:
        """Return when an event is asked and its label is due. Raises `FieldFault`."""
        asked = self._asked(moment, stamp_ms)
        if self.latest is not None and asked > self.latest:
            raise FieldFault(TIME_AHEAD, f"expected no time so far ahead of now, found {asked / 1e6:.0f} s since 1970")
        if self._fields.arrival is None or not present(arrival):
            return asked, None
        due = microseconds(self._fields.arrival, arrival, text=self._text)
        if due < asked:
            raise FieldFault(
                "label_before_event",
                f"{self._fields.arrival}: expected no time before the event's, found {(asked - due) / 1e6:g} s before",
            )
        return asked, due

    def many(self, moments: Sequence[Any], arrivals: Sequence[Any], stamps_ms: Sequence[int | None]) -> list[Times]:
        """Return the times of many events, as `of` does for each. Raises `FieldFault` for the first at fault."""
        asked, dues = alike(moments), alike(arrivals)
        latest = self.latest
        ahead = latest is not None and asked is not None and max(asked, default=latest) > latest
        if ahead or asked is None or dues is None or any(map(gt, asked, dues)):
            return [self.of(*three) for three in zip(moments, arrivals, stamps_ms, strict=True)]
        return list(zip(asked, dues, strict=True))

    def _asked(self, moment: Any, stamp_ms: int | None) -> int:
        return moment_of(self._fields.moment, moment, stamp_ms, text=self._text)


def moment_of(field: str | None, value: Any, stamp_ms: int | None, *, text: bool) -> int:
    """Return a record's time: its field's value, or without a field the record's own. Raises `FieldFault`."""
    if field is not None:
        if not present(value):
            raise FieldFault("time_missing", f'expected the time in "{field}", found none')
        return microseconds(field, value, text=text)
    if stamp_ms is None:
        raise FieldFault("time_missing", "expected the record's timestamp, found none; set `moment` to a field")
    return stamp_ms * 1000
