"""One journey along a course: the log is read and decoded once, and every trial has each batch."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from learners import Learner, read_recipe
from learners.verdict import comparable
from store.entries import Entry
from store.types import Version
from stream.backtest.candidates import Candidate
from stream.backtest.group import Group, grouped
from stream.backtest.hear import Hear
from stream.backtest.readahead import ReadAhead
from stream.backtest.reader import Errand
from stream.backtest.reading import Reading
from stream.backtest.received import Received
from stream.backtest.stretch import Course, Stretch, schema_of
from stream.backtest.trial import Outcome, Trial
from stream.backtest.whatif import WhatIf
from stream.collector import collecting_seldom
from stream.config import Config
from stream.forms import why_rows
from stream.gate import Verdicts
from stream.genesis import making
from stream.segment import OpenSegment
from stream.sources import open_feed

CHECKPOINT_S = 20.0
"""How often the state of unfinished trials is kept, so that they can go on after an interruption."""

COLUMNS_TO_READ_AHEAD, ROWS_TO_READ_AHEAD = 400_000, 100_000
"""So many events are learned in a second or more; by then a process that reads ahead has begun."""


@dataclass(frozen=True, slots=True)
class Journey:
    """What one process does: some candidates along a course. Plain values, for a process of its own.

    `candidates` by their numbers; `live` are those that are the live learner. `warm` is the learner, as bytes, that
    these begin with; `check`: their scores are compared with live ones on the way. `states` are those of trials that go
    on before the stretch `place`. `models` are the bytes of versions that take over on the way for the trials `rolled`.
    The candidate `first` has the baselines beside it. `close`: pending labels are revealed at the end. Trials that have
    `parents` are to be kept as versions that follow these. `spare`: a process more may be begun, to read ahead.
    """

    config: Config
    course: Course
    candidates: Mapping[int, Candidate]
    live: frozenset[int]
    entries: tuple[int, tuple[Entry, ...]]
    whatif: WhatIf = field(default_factory=WhatIf)
    warm: bytes | None = None
    check: bool = False
    place: int = 0
    states: Mapping[int, bytes] = field(default_factory=dict)
    models: Mapping[int, bytes] = field(default_factory=dict)
    rolled: frozenset[int] = frozenset()
    first: int = 0
    answers: bool = False
    close: bool = True
    parents: Mapping[int, Version] = field(default_factory=dict)
    spare: bool = False

    @collecting_seldom()
    def go(self, hear: Hear, pipe: Any = None) -> list[Outcome]:
        """Go along the course; return what each trial came to. Raises `LogLost`, `NotEqual`, `Interrupted`.

        Through the `pipe`, if there is one, comes what another process reads (`Received`).
        """
        columns = self.in_columns()
        with ExitStack() as stack:
            ahead = stack.enter_context(self._ahead(pipe, columns=columns))
            feed = stack.enter_context(closing(open_feed(self.config, until_end=True, group=self._group)))
            reading = Reading(self.course, feed, self.config, self.entries, self.whatif, columns=columns)
            trials = [self._trial(number, each, feed.topics, reading) for number, each in self.candidates.items()]
            groups = self._groups(trials, reading, columns=columns)
            if self.whatif.order != "recorded":
                for verdicts in reading.whole():
                    for each in groups:
                        each.take(verdicts)
                    hear.advance(len(verdicts.xs))
            else:
                self._go_stretch_by_stretch(reading, ahead, trials, groups, hear)
            for trial in trials:
                if trial.segment is not None:
                    reading.remember(trial.learner.beside)
        if self.close:
            for trial in trials:
                trial.close()
        return [trial.outcome(self.config.hash) for trial in trials]

    def _go_stretch_by_stretch(
        self,
        reading: Reading,
        ahead: Received | None,
        trials: Sequence[Trial],
        groups: Sequence[Group],
        hear: Hear,
    ) -> None:
        kept_at = time.monotonic()
        for place in range(self.place, len(self.course.stretches)):
            if time.monotonic() - kept_at >= CHECKPOINT_S and not self.parents:
                hear.keep(place, _kept(trials, reading))
                kept_at = time.monotonic()
            stretch = self.course.stretches[place]
            read = reading.stretch(stretch) if ahead is None else ahead.stretch(place, reading, hear)
            self._cover(stretch, read, trials, groups, hear)

    @property
    def _group(self) -> str:
        return f"tidemark-{self.config.model.name}-backtest"

    def errand(self, *, columns: bool) -> Errand:
        """Return what is to be read for this journey, to be learned in columns or not."""
        return Errand(self.config, self.course, self.entries, self._group, columns=columns)

    def goes_with(self, other: Journey) -> bool:
        """Tell whether what another process reads for the one can be learned by the other, too."""
        same = self.course is other.course and self.place == other.place
        return same and self._takes_what_is_read() and other._takes_what_is_read()

    def _takes_what_is_read(self) -> bool:
        """Tell whether another process may read: what is kept as a version needs the records themselves.

        Where labels come later, most of the time goes by here.
        """
        stateful = bool(self.whatif) or self.config.labels is not None or self.config.gate.duplicates is not None
        return not self.parents and not stateful

    def _ahead(self, pipe: Any, *, columns: bool) -> AbstractContextManager[Received | None]:
        """Let another process read, too, where that can be; or take what one reads for several."""
        if pipe is not None:
            return Received(pipe, self.course, columns=columns)
        worth = self.course.events >= (COLUMNS_TO_READ_AHEAD if columns else ROWS_TO_READ_AHEAD)
        if not self.spare or not worth or not self._takes_what_is_read():
            return nullcontext()
        return ReadAhead(self.errand(columns=columns), self.place)

    def _cover(
        self,
        stretch: Stretch,
        read: Iterable[Verdicts],
        trials: Sequence[Trial],
        groups: Sequence[Group],
        hear: Hear,
    ) -> None:
        for trial in trials:
            if stretch.version is not None:
                trial.begin(stretch.version, asked_before(self.course.start))
            if stretch.model is not None and trial.number in self.rolled:
                trial.take_over(self.models[stretch.model])
        for verdicts in read:
            for group in groups:
                group.take(verdicts)
            hear.advance(len(verdicts.batch))
        for trial in trials:
            if stretch.version is not None:
                trial.reach(stretch.version)

    def in_columns(self) -> bool:
        """Tell whether events come in columns: where all models are compiled, and nobody changes their features."""
        schema = schema_of(self.course)
        return not replace(self.whatif, delay=None) and not any(
            each.drop or why_rows(self.config, each.learner, schema) for each in self.candidates.values()
        )

    def _groups(self, trials: Sequence[Trial], reading: Reading, *, columns: bool) -> list[Group]:
        """Put together what begins alike; a model that is frozen, replaced or compiled shares no steps."""
        kinds = {each.version.kind for each in self.course.stretches if each.version is not None}
        adversary = reading.applied if reading.applied is not None and reading.applied.adversarial else None
        ahead = adversary is None and not columns and not self.rolled and not kinds & {"freeze", "thaw"}
        lacking = ((trial, self.candidates[trial.number].drop) for trial in trials)
        return list(grouped(lacking, ahead=ahead, adversary=adversary))

    def _trial(self, number: int, candidate: Candidate, topics: Sequence[str], reading: Reading) -> Trial:
        warm = self.warm if number in self.live else None
        learner = self._untrained(number, candidate) if warm is None else Learner.restore(warm)
        rules = learner.parts.board.rules
        compared = comparable(rules.metrics, rules.bounds, weighted=bool(rules.weights))
        trial = Trial(
            number,
            learner,
            None if compared is None else compared[0],
            topics[0],
            apart=warm is not None or number in self.rolled,
            checked=number in self.live and number not in self.rolled and self.check,
            answers=self.answers,
            segment=OpenSegment.after(topics, self.parents[number]) if number in self.parents else None,
        )
        if number in self.states:
            beside, state = pickle.loads(self.states[number])  # noqa: S301 - one's own store
            reading.recall(beside)
            trial.restore(state)
        return trial

    def _untrained(self, number: int, candidate: Candidate) -> Learner:
        config = self.config
        made = making(config, schema_of(self.course))
        made["features"] = tuple(name for name in made["features"] if name not in candidate.drop)
        made["slices"] = tuple(name for name in made.get("slices", ()) if name not in candidate.drop)
        made["alone"] = number not in {self.first, *self.parents}  # a version has what its beginning has
        made["labels"] = self.whatif.labels(config) or made.get("labels")
        recipe = read_recipe(candidate.learner, config.model.task, search_path=config.base)
        return Learner.new(recipe, **made)


def asked_before(start: Version | None) -> int:
    """Return how many events had been asked live when a range began, where labels come later."""
    return 0 if start is None else int(start.proof.details.get("labels", {}).get("asked", 0))


def _kept(trials: Sequence[Trial], reading: Reading) -> dict[int, bytes]:
    """Return all that trials need to go on, by their numbers: each with what the gate remembers."""
    beside: dict[str, Any] = {}
    reading.remember(beside)
    states = {trial.number: trial.save() for trial in trials}
    return {number: pickle.dumps((beside, state)) for number, state in states.items() if state is not None}
