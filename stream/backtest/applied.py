"""A what-if at work in one pass over a feed: what is not read, what is held, how examples are changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import learners
from learners.joined import Turn
from store.entries import Entry
from stream.backtest.adversary import teach_worst
from stream.backtest.changes import Noise, Shift
from stream.backtest.order import Order, reorder
from stream.config import Config
from stream.errors import ConfigError
from stream.feed import Feed
from stream.fields import Fault
from stream.gate import Verdicts
from stream.held import QUARANTINED
from stream.log import EVENT, LABEL, Batch, Log, Merged, Span
from stream.moments import moments_of
from stream.quarantine import Quarantine, matcher
from stream.selector import Matcher, Selector


@dataclass(slots=True)
class Applied:
    """The changes, applied to what one feed brings: make it by `WhatIf.on`. Nothing that it is given is changed.

    For each batch: `skip` it before the gate sees it, give the gate what is `held`, `change` its verdicts; give all of
    them through `reorder`, and teach by `teach` where it is `adversarial`.
    """

    feed: Feed
    config: Config
    skips: Sequence[Selector] = ()
    selectors: Sequence[Selector] = ()
    entries: Sequence[Entry] = ()
    drop: Sequence[str] = ()
    shifts: Sequence[Shift] = ()
    noises: Sequence[Noise] = ()
    delay: int | None = None
    order: Order = "recorded"
    seed: int = 1
    sds: Mapping[str, float] = field(default_factory=dict)
    _skipping: dict[int, list[Matcher]] = field(init=False)
    _holding: list[tuple[Matcher, Fault]] = field(init=False)
    _quarantine: Quarantine = field(init=False)

    def __post_init__(self) -> None:
        events, labels = self.feed.events, self.feed.labels
        self._skipping = {EVENT: self._matchers(self.skips, events)}
        if labels is not None:  # offsets are those of events
            self._skipping[LABEL] = self._matchers([each for each in self.skips if not each.offsets], labels)
        self._holding = [
            (match, Fault(QUARANTINED, f"without {selector.told()}"))
            for selector, match in zip(self.selectors, self._matchers(self.selectors, events), strict=True)
        ]
        held_once = [replace(entry, changes=entry.changes[:1]) for entry in self.entries]  # released ones too
        self._quarantine = Quarantine(0, held_once, self.feed, self.config)

    def _matchers(self, selectors: Iterable[Selector], log: Log) -> list[Matcher]:
        return [matcher(selector, log, self.feed, self.config) for selector in selectors]

    def skip(self, batch: Batch) -> Batch:
        """Return a batch without the records that are not to be read; its spans reach as far as they did."""
        if not self.skips:
            return batch
        gone = {
            (kind, number): places
            for kind, spans in ((EVENT, batch.spans), (LABEL, batch.labels))
            for number, span in enumerate(spans)
            if (places := {place for match in self._skipping[kind] for place in match.places(span)})
        }
        if not gone:
            return batch
        return replace(
            batch,
            spans=_kept(batch.spans, EVENT, gone),
            labels=_kept(batch.labels, LABEL, gone),
            merged=None if batch.merged is None else _renumbered(batch.merged, gone),
        )

    def held(self, topic: str, span: Span) -> dict[int, Fault]:
        """Return which offsets of a span are held back, as if quarantined, and why: see `Quarantine.faults`."""
        held: dict[int, Fault] = {}
        if topic == self.feed.events.topic:
            for match, fault in self._holding:
                held.update((span.offsets[place], fault) for place in match.places(span))
        return {**held, **self._quarantine.faults(topic, span)} if self.entries else held

    def change(self, verdicts: Verdicts) -> Verdicts:
        """Return what the gate said of a batch, with its examples and times changed."""
        xs, turns = verdicts.xs, verdicts.turns
        if self.drop or self.shifts or any(not noise.worst for noise in self.noises):
            xs = self._changed(verdicts)
            fresh = iter(xs)
            if turns is not None:
                turns = [turn if turn.x is None else Turn(turn.moment, turn.id, next(fresh), turn.y) for turn in turns]
        moments, dues = verdicts.moments, verdicts.dues
        if self.delay is not None or self.order == "time":
            moments = self._moments(verdicts)
        if self.delay is not None:
            known = dues if self.config.labels is not None else moments
            dues = [
                None if y is None or due is None else at + self.delay
                for y, due, at in zip(verdicts.ys, known, moments, strict=True)
            ]
        return replace(verdicts, xs=xs, turns=turns, moments=moments, dues=dues)

    def _changed(self, verdicts: Verdicts) -> list[dict[str, Any]]:
        dropped = frozenset(self.drop)
        xs = [{name: value for name, value in x.items() if name not in dropped} for x in verdicts.xs]
        for shift in self.shifts:
            shift.apply(xs, self.sds)
        places = verdicts.places()
        for noise in self.noises:
            if not noise.worst:
                noise.apply(xs, places, self.sds, self.seed)
        return xs

    def _moments(self, verdicts: Verdicts) -> list[int]:
        """Return when each event happened. Raises `ConfigError` for one that does not say."""
        if self.config.labels is not None:
            return verdicts.moments
        read = moments_of(self.config.source.moment, self.feed.events.format)
        at = {span.partition: dict(zip(span.offsets, read(span), strict=True)) for span in verdicts.batch.spans}
        moments = []
        for partition, offset in verdicts.places():
            moment = at[partition][offset]
            if moment is None:
                source = self.config.source.moment
                raise ConfigError(
                    f"expected a time in every event for {'--order time' if self.delay is None else '--delay'}, "
                    f"found none at {partition}:{offset}"
                    + (f' in "{source}"' if source else ": its record has no timestamp"),
                    f'hold it back: --without "offsets {partition}:{offset}"'
                    if source
                    else "set [source] moment to the field that has it",
                )
            moments.append(moment)
        return moments

    def reorder(self, verdicts: Iterable[Verdicts]) -> Iterator[Verdicts]:
        """Give out changed verdicts in the order asked for: all are in memory unless it is "recorded"."""
        return reorder(verdicts, self.order, self.seed)

    @property
    def adversarial(self) -> bool:
        """Whether events are moved by what a candidate predicts: then it is taught by `teach`."""
        return any(noise.worst for noise in self.noises)

    def teach(self, learner: learners.Learner, verdicts: Verdicts) -> None:
        """Let a learner learn what was accepted, each event moved to where its prediction is worst."""
        teach_worst(learner, verdicts, {noise.feature: noise.step(self.sds) for noise in self.noises if noise.worst})


Gone = Mapping[tuple[int, int], Container[int]]
"""What of a batch is not read: (LABEL or EVENT, number of the span) to places in it."""


def _kept(spans: Sequence[Span], kind: int, gone: Gone) -> tuple[Span, ...]:
    return tuple(
        span.part([place for place in range(len(span)) if place not in gone[kind, number]])
        if (kind, number) in gone
        else span
        for number, span in enumerate(spans)
    )


def _renumbered(merged: Merged, gone: Gone) -> Merged:
    """Return the order of the records that are left, by the places that they have now; its bounds still hold."""
    order = [each for each in merged.order if each[2] not in gone.get(each[:2], ())]
    counts: Counter[tuple[int, int]] = Counter()
    now: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    for kind, number, place in sorted(order):
        now[kind, number, place] = (kind, number, counts[kind, number])
        counts[kind, number] += 1
    ahead = frozenset(now[each] for each in merged.ahead if each in now)
    return replace(merged, order=[now[each] for each in order], ahead=ahead)
