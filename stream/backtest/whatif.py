"""What if: changes of the stream that a backtest reads, as a person writes them, in the order in which they apply.

skip-range (not read at all), without (read, and held), decoding, drop, shift, noise, delay, order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from learners.pending import LabelPolicy
from store.entries import Entry
from stream.backtest.applied import Applied
from stream.backtest.changes import ALL, Noise, Shift, read_noise, read_shift
from stream.backtest.order import Order, read_order
from stream.backtest.selection import read_skip, read_without
from stream.config import Config
from stream.errors import ConfigError
from stream.feed import Feed
from stream.quarantine import check_selector
from stream.schema import Schema
from stream.selector import Selector
from stream.tables import read_duration


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The changes, as plain values: `WhatIf()` changes nothing. Before it is applied: `of` the schema, then `with_sd`.

    `bare`: the offsets of `skips` are those of a log with one partition. `delay` in microseconds. `seed` is that of
    noise and of shuffling.

    >>> bool(WhatIf()), read_whatif(drop=["a"], shift=["b=+1"]).told()
    (False, ['drop a', 'shift b by +1'])
    """

    skips: tuple[Selector, ...] = ()
    without: tuple[int | Selector, ...] = ()
    drop: tuple[str, ...] = ()
    shifts: tuple[Shift, ...] = ()
    noises: tuple[Noise, ...] = ()
    delay: int | None = None
    order: Order = "recorded"
    seed: int = 1
    bare: bool = False
    sds: tuple[tuple[str, float], ...] = ()

    def __bool__(self) -> bool:
        return replace(self, seed=1, bare=False, sds=()) != WhatIf()

    def told(self) -> list[str]:
        """Name each change in words, in the order in which they apply."""
        sds = dict(self.sds)
        told = [f"skip {selector.told()}" for selector in self.skips]
        told += [f"without {f'entry {each}' if isinstance(each, int) else each.told()}" for each in self.without]
        told += [f"drop {name}" for name in self.drop]
        told += [shift.told(sds) for shift in self.shifts]
        told += [noise.told(sds) + ("" if noise.worst else f", seed {self.seed}") for noise in self.noises]
        told += [] if self.delay is None else [f"labels come {timedelta(microseconds=self.delay)} after their events"]
        shuffled = f", seed {self.seed}" if self.order == "shuffle" else ""
        return told + ([] if self.order == "recorded" else [f"order {self.order}{shuffled}"])

    def to_json(self) -> dict[str, Any]:
        """Return plain values: only the changes that are there, and all that decides what they do."""
        sds = dict(self.sds)
        values = {
            "skip": [selector.to_json() for selector in self.skips],
            "without": [each if isinstance(each, int) else each.to_json() for each in self.without],
            "drop": list(self.drop),
            "shift": [_with_sd(shift, sds) for shift in self.shifts],
            "noise": [_with_sd(noise, sds) for noise in self.noises],
            "delay_us": self.delay,
            "order": None if self.order == "recorded" else self.order,
            "seed": self.seed if self.order == "shuffle" or any(not noise.worst for noise in self.noises) else None,
        }
        return {name: value for name, value in values.items() if value is not None and value != []}

    def of(self, schema: Schema, config: Config) -> WhatIf:
        """Return it for this schema: `all` becomes every numeric feature that has no noise of its own.

        Raises `ConfigError` for a feature that is not there or no number, or that weighs events.
        """
        weights = {config.model.weight, config.validation.weight}
        numbers = [field.name for field in schema.features if field.type == "number" and field.name not in weights]
        others = [name for name in schema.names if name not in weights]
        _check_names("--drop", self.drop, others)
        changed = [each.feature for each in self._changes if each.feature != ALL]
        _check_names("--shift and --noise", changed, numbers)
        taken = {*self.drop, *(noise.feature for noise in self.noises)}
        noises: list[Noise] = []
        for noise in self.noises:
            whom = [noise.feature] if noise.feature != ALL else [name for name in numbers if name not in taken]
            noises += (replace(noise, feature=name) for name in whom)
        return replace(self, noises=tuple(noises))

    @property
    def _changes(self) -> tuple[Shift | Noise, ...]:
        return (*self.shifts, *self.noises)

    @property
    def needs_sd(self) -> set[str]:
        """The features whose standard deviation over the events of the course is to be found: see `Spread`."""
        return {each.feature for each in self._changes if each.in_sd}

    def with_sd(self, sds: Mapping[str, float]) -> WhatIf:
        """Return it with the standard deviations of the features that need one."""
        return replace(self, sds=tuple((name, sds[name]) for name in sorted(self.needs_sd)))

    def labels(self, config: Config) -> LabelPolicy | None:
        """Return the label policy that learners are to be made with, None for that of the configuration."""
        return LabelPolicy() if self.delay is not None and config.labels is None else None

    def on(self, feed: Feed, config: Config, entries: Iterable[Entry] = ()) -> Applied:
        """Return it with the state that one pass needs. `entries`: those of the quarantine, released ones too.

        Raises `ConfigError` for what this feed does not allow.
        """
        self._check_feed(feed, config)
        by_number = {entry.entry: entry for entry in entries}
        for number in self.without:
            if isinstance(number, int) and number not in by_number:
                raise ConfigError(
                    f"expected an entry of the quarantine with --without, found none with the number {number}",
                    "tidemark quarantine list",
                )
        chosen = [by_number[number] for number in self.without if isinstance(number, int)]
        selectors = [each for each in self.without if isinstance(each, Selector)]
        return Applied(
            feed,
            config,
            skips=self.skips,
            selectors=selectors,
            entries=chosen,
            drop=self.drop,
            shifts=self.shifts,
            noises=self.noises,
            delay=self.delay,
            order=self.order,
            seed=self.seed,
            sds=dict(self.sds),
        )

    def _check_feed(self, feed: Feed, config: Config) -> None:
        later = self.delay is not None or config.labels is not None
        if later and any(noise.worst for noise in self.noises):
            raise ConfigError(
                "expected labels that come with their events for --noise FEATURE=worst:…, found some that come later",
                "the worst is sought when an event is learned: leave `worst:` out",
            )
        if feed.labels is not None and (self.delay is not None or self.order != "recorded"):
            raise ConfigError(
                f"expected labels in the log of events for {'--order' if self.delay is None else '--delay'}, "
                f"found a log of labels, {feed.labels.topic}",
                "its records say when labels came, and in which order: leave it out",
            )
        selectors = [each for each in (*self.skips, *self.without) if isinstance(each, Selector)]
        for selector in selectors:
            check_selector(selector, feed.events, config.source.moment)
        if any(selector.offsets for selector in selectors):
            there = sorted(feed.events.end())
            if self.bare and len(there) > 1:
                raise ConfigError(
                    f"expected PARTITION:START-STOP for --skip-range, found bare offsets, and the partitions {there}",
                    "for example --skip-range 0:100-200",
                )
            if unknown := sorted({p for selector in selectors for p in selector.offsets}.difference(there)):
                raise ConfigError(f"expected one of the partitions {there} of {feed.events.topic}, found {unknown[0]}")


def _with_sd(change: Shift | Noise, sds: Mapping[str, float]) -> dict[str, Any]:
    amount = {"by": change.by, "times": change.times} if isinstance(change, Shift) else {"sd": change.sd}
    worst = {"worst": True} if isinstance(change, Noise) and change.worst else {}
    unit = {"in_sd_of": sds.get(change.feature)} if change.in_sd else {}
    return {"feature": change.feature, **amount, **worst, **unit}


def _check_names(option: str, names: Iterable[str], there: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in there]:
        what = "a feature" if option == "--drop" else "numeric features"
        raise ConfigError(
            f"expected {what} for {option} that no weight is taken from, found {unknown[0]!r}",
            f"there are: {', '.join(there):.1000}" if there else "there are none",
        )


def read_whatif(
    *,
    without: Sequence[str] = (),
    skip_range: Sequence[str] = (),
    delay: str | None = None,
    shift: Sequence[str] = (),
    noise: Sequence[str] = (),
    drop: Sequence[str] = (),
    order: str = "recorded",
    seed: int = 1,
) -> WhatIf:
    """Read what a person wrote. Raises `ConfigError`."""
    skips = [read_skip(text) for text in skip_range]
    found = WhatIf(
        skips=tuple(selector for selector, _ in skips),
        without=tuple(read_without(text) for text in without),
        drop=tuple(dict.fromkeys(drop)),
        shifts=tuple(read_shift(text) for text in shift),
        noises=tuple(read_noise(text) for text in noise),
        delay=None if delay is None else _delay(delay),
        order=read_order(order),
        seed=seed,
        bare=any(bare for _, bare in skips),
    )
    noisy = [each.feature for each in found.noises]
    for option, names in (("--shift", [each.feature for each in found.shifts]), ("--noise", noisy)):
        if both := [name for name in names if name in found.drop]:
            raise ConfigError(
                f"expected {option} of a feature that is there, found {both[0]!r}, which --drop takes out",
                "leave one of the two out",
            )
    if len(set(noisy)) < len(noisy):
        raise ConfigError(
            f"expected one --noise for a feature, found several: {', '.join(noisy)}", "name the strongest alone"
        )
    return found


def _delay(text: str) -> int:
    try:
        duration: timedelta = read_duration(text)
    except ValueError as error:
        raise ConfigError(f"--delay: {error}, found {text!r}", "for example --delay 1h") from None
    return duration // timedelta(microseconds=1)
