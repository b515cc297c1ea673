"""Trials that see the same events, and begin alike: what is the same for all of them is done once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from learners import Turn
from learners.prefix import Prefix
from learners.steps import Seen
from learners.table import Table
from stream.backtest.applied import Applied
from stream.backtest.trial import Trial
from stream.gate import Verdicts


@dataclass(slots=True)
class Group:
    """Some trials without the features `dropped`; the models of all begin with the steps `prefix`, if there is one.

    An `adversary` moves each event to where the model is worst. `crowded`: others see the same events, and a model may
    change what it is given, as river's Renamer does.
    """

    dropped: frozenset[str]
    prefix: Prefix | None = None
    adversary: Applied | None = None
    crowded: bool = False
    trials: list[Trial] = field(default_factory=list)

    def take(self, verdicts: Verdicts) -> None:
        """Let every trial have the next events."""
        if self.dropped:
            verdicts = _without(verdicts, self.dropped)
        own = self.crowded and self.prefix is None and not isinstance(verdicts.xs, Table)  # that one stays as it is
        seen = None if self.prefix is None else self._go_ahead(self.prefix, verdicts)
        for trial in self.trials:
            trial.take(_without(verdicts, frozenset()) if own else verdicts, seen, self.adversary)

    def _go_ahead(self, prefix: Prefix, verdicts: Verdicts) -> Seen:
        """Let the first steps have the events; the time that they take is shared, too."""
        began = time.perf_counter()
        seen = prefix.go(verdicts.xs)
        for trial in self.trials:
            trial.seconds += (time.perf_counter() - began) / len(self.trials)
        return seen


def grouped(
    trials: Iterable[tuple[Trial, Sequence[str]]], *, ahead: bool, adversary: Applied | None = None
) -> Iterator[Group]:
    """Put trials, each with the features that it lacks, into groups; `ahead`: first steps may go ahead."""
    groups: dict[tuple[frozenset[str], str | None], Group] = {}
    for trial, drop in trials:
        dropped, learner = frozenset(drop), trial.learner
        own = Prefix.of(learner.parts) if ahead else None
        group = groups.setdefault((dropped, None if own is None else own.identity), Group(dropped, own, adversary))
        if group.prefix is not None:
            learner.ahead = group.prefix.join(learner.parts)
        group.trials.append(trial)
    for group in groups.values():
        group.crowded = sum(len(each.trials) for each in groups.values()) > 1
    yield from groups.values()


def _without(verdicts: Verdicts, dropped: frozenset[str]) -> Verdicts:
    """Return what was accepted, without some features; those that are left are no one else's."""

    def left(x: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in x.items() if name not in dropped}

    turns = verdicts.turns
    if turns is not None:
        turns = [turn if turn.x is None else Turn(turn.moment, turn.id, left(turn.x), turn.y) for turn in turns]
    return replace(verdicts, xs=[left(x) for x in verdicts.xs], turns=turns)
