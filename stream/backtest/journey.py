"""One journey along a course: the log is read and decoded once, and every trial has each batch."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from learners import Learner, read_recipe
from learners.verdict import comparable
from store.quarantine import Entry
from stream.again import read_segment
from stream.backtest.candidates import Candidate
from stream.backtest.course import Course, Stretch, schema_of
from stream.backtest.trial import Outcome, Trial
from stream.config import Config
from stream.errors import LogLost, NotEqual
from stream.feed import Feed
from stream.gate import Verdicts, open_gate
from stream.genesis import making
from stream.log import EVENTS_PER_POLL_MAX, POLL_S_MAX, Batch
from stream.quarantine import Quarantine
from stream.replay import reasons_of
from stream.sources import open_feed

CHECKPOINT_S = 20.0
"""How often the state of unfinished trials is kept, so that they can go on after an interruption."""


class Interrupted(KeyboardInterrupt):
    """The journey was told to stop."""


class Hear(Protocol):
    """Who is told how far a journey is, and may stop it."""

    def advance(self, events: int) -> None:
        """Take notice of events read. Raises `Interrupted` when it is to stop."""

    def keep(self, place: int, states: Mapping[int, bytes]) -> None:
        """Keep the states of trials, by their numbers, before the stretch with the number `place`."""


@dataclass(frozen=True, slots=True)
class Journey:
    """What one process does: some candidates along a course. Plain values, for a process of its own.

    `candidates` by their numbers; `live` are those that are the live learner. `warm` is the learner, as bytes, that
    these begin with; `check`: their scores are compared with live ones on the way. `states` are those of trials that go
    on before the stretch `place`. `models` are the bytes of versions that take over on the way. The candidate `first`
    has the baselines beside it. `close`: pending labels are revealed at the end; `saved`: the learners are to be kept.
    """

    config: Config
    course: Course
    candidates: Mapping[int, Candidate]
    live: frozenset[int]
    entries: tuple[int, tuple[Entry, ...]]
    warm: bytes | None = None
    check: bool = False
    place: int = 0
    states: Mapping[int, bytes] = field(default_factory=dict)
    models: Mapping[int, bytes] = field(default_factory=dict)
    first: int = 0
    answers: bool = False
    close: bool = True
    saved: bool = False

    def go(self, hear: Hear) -> list[Outcome]:
        """Go along the course; return what each trial came to. Raises `LogLost`, `NotEqual`, `Interrupted`."""
        kept_at = time.monotonic()
        group = f"tidemark-{self.config.model.name}-backtest"
        with closing(open_feed(self.config, until_end=True, group=group)) as feed:
            gates = _Gates(self, feed)
            trials = [self._trial(number, each, feed.topics[0], gates) for number, each in self.candidates.items()]
            for place in range(self.place, len(self.course.stretches)):
                if time.monotonic() - kept_at >= CHECKPOINT_S and not self.saved:
                    hear.keep(place, _kept(trials, gates))
                    kept_at = time.monotonic()
                self._cover(self.course.stretches[place], gates, trials, hear)
        if self.close:
            for trial in trials:
                trial.close()
        return [trial.outcome() for trial in trials]

    def _trial(self, number: int, candidate: Candidate, topic: str, gates: _Gates) -> Trial:
        config, live = self.config, number in self.live
        recipe = read_recipe(candidate.learner, config.model.task, search_path=config.base)
        made = making(config, schema_of(self.course))
        made["features"] = tuple(name for name in made["features"] if name not in candidate.drop)
        made["slices"] = tuple(name for name in made.get("slices", ()) if name not in candidate.drop)
        made["alone"] = number != self.first
        warm = self.warm if live else None
        learner = Learner.new(recipe, **made) if warm is None else Learner.restore(warm)
        rules = learner.board.rules
        compared = comparable(rules.metrics, rules.bounds, weighted=bool(rules.weights))
        trial = Trial(
            number,
            learner,
            None if compared is None else compared[0],
            topic,
            dropped=candidate.drop,
            apart=warm is not None,
            checked=live and self.check,
            answers=self.answers,
            whole=self.saved,
        )
        if number in self.states:
            beside, state = pickle.loads(self.states[number])  # noqa: S301 - one's own store
            gates.recall(beside)
            trial.restore(state)
        return trial

    def _cover(self, stretch: Stretch, gates: _Gates, trials: list[Trial], hear: Hear) -> None:
        for trial in trials:
            if stretch.version is not None:
                trial.begin(stretch.version)
        for verdicts in gates.judge(stretch):
            for trial in trials:
                trial.take(verdicts)
            hear.advance(len(verdicts.batch))
        for trial in trials:
            if stretch.version is not None:
                trial.reach(stretch.version)


def _kept(trials: Sequence[Trial], gates: _Gates) -> dict[int, bytes]:
    """Return all that trials need to go on, by their numbers: each with what the gate remembers."""
    beside = gates.beside()
    return {trial.number: pickle.dumps((beside, trial.save())) for trial in trials if trial.error is None}


class _Gates:
    """Reads stretches: what was read live by a gate that holds what was held then, the rest by today's."""

    def __init__(self, journey: Journey, feed: Feed) -> None:
        config, schema = journey.config, schema_of(journey.course)
        self._feed = feed
        self._again = open_gate(feed, config, schema, live=False)
        self._today = open_gate(feed, config, schema, live=True)
        revision, entries = journey.entries
        self._today.quarantine = Quarantine(revision, entries, feed, config)

    def beside(self) -> dict[str, Any]:
        """Return what today's gate remembers."""
        beside: dict[str, Any] = {}
        self._today.memory.write(beside)
        return beside

    def recall(self, beside: Mapping[str, Any]) -> None:
        """Let today's gate remember it again."""
        self._today.memory.recall(beside)

    def judge(self, stretch: Stretch) -> Iterator[Verdicts]:
        """Give out what is accepted of a stretch, in order. Raises `NotEqual` if the log is not what it was."""
        if stretch.recorded:
            yield from self._as_recorded(stretch)
            return
        if stretch.beside is not None:
            self.recall(stretch.beside)
        for batch in self._poll(stretch) if stretch.ends is not None else self._read(stretch):
            yield self._today.judge(batch)

    def _read(self, stretch: Stretch) -> Iterator[Batch]:
        return read_segment(self._feed, stretch.segment, stretch.position)

    def _as_recorded(self, stretch: Stretch) -> Iterator[Verdicts]:
        reasons, held, read = reasons_of(stretch.segment), 0, 0
        for batch in self._read(stretch):
            verdicts = self._again.replay(batch, reasons)
            held += len(verdicts.held)
            read += len(batch)
            yield verdicts
        if stretch.version is not None and read < stretch.segment.events:
            raise LogLost(
                f"expected {stretch.segment.events} events of version {stretch.version.version}, found {read}",
                "the log has deleted some: begin after them, --from v:N or an offset",
            )
        expected = sum(stretch.segment.has_read(hold) for hold in stretch.segment.holds)
        if held != expected:
            raise NotEqual(f"the log changed: expected {expected} held events, found {held}")

    def _poll(self, stretch: Stretch) -> Iterator[Batch]:
        """Merge records of both logs by their times, up to the ends."""
        feed, ends = self._feed, stretch.ends
        assert ends is not None
        feed.ends = ends
        feed.seek(stretch.position)
        reached = {topic: dict(each) for topic, each in stretch.position.next_offsets().items()}
        while any(reached[topic].get(p, 0) < end for topic, each in ends.items() for p, end in each.items()):
            batch = feed.poll(POLL_S_MAX, EVENTS_PER_POLL_MAX)
            for topic, spans in zip(feed.topics, (batch.spans, batch.labels), strict=True):
                reached[topic].update((span.partition, span.stop) for span in spans)
            if batch:
                yield batch
        feed.ends = None
