"""A trial: one candidate's learner on its way along a course, and what it came to."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from learners import Learner, LearnFailed, Point, Sealed
from learners.apart import Apart
from learners.contest import place_of
from learners.errors import StateError
from learners.judged import Judged
from learners.metrics import Metric
from learners.progressive import Scores
from learners.steps import Seen
from learners.verdict import values_of
from store.types import NewVersion, Version
from stream.backtest.applied import Applied
from stream.draft import new_version
from stream.errors import ModelRuined
from stream.gate import Verdicts
from stream.replay import struck
from stream.segment import OpenSegment

SPANS = ("cumulative", "window", "faded", "low", "high")
"""What is told of a score: what came since the last version depends on where versions are."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered to each judged event, in the order in which labels came; `numbers` as `Outputs.numbers`."""

    ys: list[Any]
    labels: list[Any]
    numbers: list[Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to. `values` are those of the compared metric, one a judged event, NaN where not scored.

    `scores` are of the range alone. `live` are the versions whose scores it was compared with, and the first that it
    does not equal with what differs. `seconds` is the time in which it was asked and taught, `state_bytes` the size of
    the learner. `error` tells what the model raised: then it was left out from there on. `new` is the learner as a
    version, where it is to be kept; `accounts` are its learned, pending and expired events,
    of its whole life; `expired` are those of the range.
    """

    number: int
    read: int
    held: int
    learned: int
    scores: Scores
    baselines: Mapping[str, Scores]
    points: tuple[Point, ...]
    details: Mapping[str, Any]
    values: np.ndarray
    seconds: float
    state_bytes: int
    live: int = 0
    unequal: str | None = None
    error: str | None = None
    answers: Answers | None = None
    new: NewVersion | None = field(default=None, repr=False)
    accounts: tuple[int, int, int] = (0, 0, 0)
    expired: int = 0


class Trial:
    """Not shared. `topic` is that of events; values of `metric` are kept.

    `apart`: scores of the range are counted apart, since the learner has scores of before. `checked`: it is the live
    learner, on its way as it was live. `segment`: it is to be kept, and this takes in all that it reads.
    """

    def __init__(
        self,
        number: int,
        learner: Learner,
        metric: Metric | None,
        topic: str,
        *,
        apart: bool = False,
        checked: bool = False,
        answers: bool = False,
        segment: OpenSegment | None = None,
    ) -> None:
        self.number = number
        self.learner = learner
        self.error: str | None = None
        self.read = 0
        self.held = 0
        self._metric = metric
        self._column = 0 if metric is None else place_of(metric, learner.parts.board.tally)
        self._topic = topic
        self._apart = Apart(learner.parts.board) if apart else None
        self._checked = checked
        self.segment = segment
        self._begun = learner.learned
        self._expired = learner.expired
        self._first = self._since = learner.asked
        self._values: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._answers = Answers([], [], []) if answers else None
        self._points: list[Point] = []
        self.seconds = 0.0
        self._live = 0
        self._unequal: str | None = None
        self._listen()

    def _listen(self) -> None:
        self.learner.parts.board.listener = self._hear

    def _hear(self, judged: Judged) -> None:
        """Keep what is asked for of judged events, but for those that were asked before this learner began here."""
        if judged.numbers is not None and min(judged.numbers, default=self._since) < self._since:
            judged = judged.since(self._since)
        if self._metric is not None:
            self._values.append(values_of(self._metric, judged.columns[self._column]))
            if judged.numbers is not None:
                self._places.append(np.asarray(judged.numbers, dtype=int) - self._first)
        if self._apart is not None:
            self._apart.add(judged)
        if self._answers is not None:
            self._answers.ys.extend(judged.ys)
            self._answers.labels.extend(judged.outputs.labels)
            self._answers.numbers.extend(judged.outputs.numbers)

    def take(self, verdicts: Verdicts, seen: Seen | None = None, adversary: Applied | None = None) -> None:
        """Ask and teach what was accepted. What the model raises ends the trial.

        `seen` is what the first steps of the model make of it, where they have gone ahead. An `adversary` moves events.
        """
        self.read += sum(map(len, verdicts.batch.spans))
        self.held += sum(held.topic == self._topic for held in verdicts.held)
        if self.error is not None:
            return
        began = time.perf_counter()
        try:
            if self.learner.ahead is not None:
                assert seen is not None, "the first steps have gone ahead"
                self.learner.ahead.see(seen)
            if adversary is None:
                verdicts.teach(self.learner)
            else:
                adversary.teach(self.learner, verdicts)
        except LearnFailed as failed:
            self.error = told(failed, verdicts)
        self.seconds += time.perf_counter() - began
        if self.segment is not None and self.error is None:
            self.segment.extend(verdicts.batch, verdicts, self.learner)

    def begin(self, version: Version, asked: int = 0) -> None:
        """Do what a version did before it read anything; `asked` events had been asked live when the range began."""
        if self.error is None and self.segment is None:  # a version of its own could not tell when it was static
            self.learner.strike(number - asked + self._first for number in struck(version))
            match version.kind:
                case "closing":
                    self.close()
                case "freeze" | "thaw":
                    self.learner.switch(static=version.kind == "freeze")

    def reach(self, version: Version) -> None:
        """Compare with a version that read live what was read up to here, if this is the live learner."""
        if self.error is not None or self.segment is not None:
            return
        ended = self.learner.end_segment()
        self._points += ended.points
        if self._checked and self._unequal is None:
            proof = version.proof
            self._live += 1
            if ended.digest != proof.digest:
                self._unequal = f"version {version.version}: the predictions differ"
            elif ended.scores != proof.scores:
                self._unequal = f"version {version.version}: the scores differ"

    def take_over(self, state: bytes) -> None:
        """Go on with another version's model and scores, as after a rollback."""
        old, self.learner = self.learner, Learner.restore(state)
        self._begun += self.learner.learned - old.learned
        self._first += self.learner.asked - old.asked
        self._since = self.learner.asked
        self._expired += self.learner.expired - old.expired
        if self._apart is not None:
            self._apart.take_over(old.parts.board, self.learner.parts.board)
        self._listen()

    def close(self) -> None:
        """Reveal what is pending."""
        if self.error is None:
            try:
                self.learner.close()
            except LearnFailed as failed:
                self.error = f"raised while pending labels were revealed: {failed}"

    def outcome(self, config_hash: str) -> Outcome:
        """End it. One that raised, or cannot be kept, is told with the scores it had, and without baselines."""
        learner = self.learner
        learner.parts.board.listener = None
        details = learner.details()
        if self.error is None:
            learner.point()
        scores, baselines = learner.scores(), learner.baseline_scores()
        new, size = self._end(config_hash)
        if self._apart is not None:
            scores, baselines = self._apart.scores(), self._apart.baseline_scores()
            details = {**details, **self._apart.details(learner.parts.board)}
        return Outcome(
            number=self.number,
            read=self.read,
            held=self.held,
            learned=learner.learned - self._begun,
            expired=learner.expired - self._expired,
            scores=_spans(scores),
            baselines={} if self.error else {name: _spans(each) for name, each in baselines.items()},
            points=tuple(self._points),
            details=details,
            values=self._joined(),
            seconds=self.seconds,
            state_bytes=size,
            live=self._live,
            unequal=self._unequal,
            error=self.error,
            answers=self._answers,
            new=new,
            accounts=(learner.learned, learner.pending, learner.expired),
        )

    def _end(self, config_hash: str) -> tuple[NewVersion | None, int]:
        """Return the learner as a version, if it is to be kept, and its size; one that is ruined is not kept."""
        if self.error is None and self.segment is not None:
            try:
                new = new_version(self.learner, self.segment, None, config_hash, "kept from a backtest")
            except (ModelRuined, StateError, LearnFailed) as failed:
                self.error = f"it cannot be kept: {failed}"
            else:
                points: Any = new.points
                self._points += [Point(each.events, each.scores, each.baselines, each.clock_us) for each in points]
                return new, len(new.state)
        sealed = self._sealed()
        self._points += self.learner.end_segment().points if sealed is None else sealed.points
        if sealed is not None and sealed.ruin is not None:
            self.error = f"the model is ruined: {sealed.ruin}"
        return None, 0 if sealed is None else len(sealed.state)

    def _sealed(self) -> Sealed | None:
        """Seal the learner; None if it failed, or fails in this."""
        if self.error is not None:
            return None
        try:
            return self.learner.seal()
        except (StateError, LearnFailed) as failed:
            self.error = f"it cannot be kept: {failed}"
            return None

    def _joined(self) -> np.ndarray:
        """Return the values, one an event: where labels come later in the order asked, NaN where none came."""
        values = np.concatenate(self._values) if self._values else np.empty(0)
        if not self._places:
            return values
        whole = np.full(self.learner.asked - self._first, np.nan)
        whole[np.concatenate(self._places)] = values
        return whole

    def save(self) -> bytes | None:
        """Return all that it needs to go on from here in another process; None if it failed, or fails in this."""
        self.learner.parts.board.listener = None
        sealed = self._sealed()
        if sealed is None:
            return None
        self._points += sealed.points
        kept = {name: value for name, value in self.__dict__.items() if name not in ("learner", "number")}
        self._listen()
        return pickle.dumps((sealed.state, kept))

    def restore(self, state: bytes) -> None:
        """Go on from what was saved."""
        learner, kept = pickle.loads(state)  # noqa: S301 - one's own store
        self.__dict__.update(kept)
        self.learner = Learner.restore(learner)
        self._listen()


def _spans(scores: Scores) -> Scores:
    """Return what is told of scores."""
    return {name: {span: spans[span] for span in SPANS if span in spans} for name, spans in scores.items()}


def told(failed: LearnFailed, verdicts: Verdicts) -> str:
    """Say what raised, and at which event."""
    place = ""
    if verdicts.turns is None and failed.index is not None:
        partition, offset = verdicts.places()[failed.index]
        place = f" at partition {partition}, offset {offset}"
    return f"the model raised{place}: {failed}"
