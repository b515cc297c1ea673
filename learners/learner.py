"""A recipe's model in training, with its scores and baselines: all that a snapshot holds.

1. No event is learned before it is predicted, and no label is visible to the prediction it judges.
2. How events come in batches makes no difference to predictions, scores, points, digest or state.
3. What is restored goes on as if nothing had happened; a prediction changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

from learners.doubt import Doubt
from learners.errors import LearnFailed
from learners.facts import Facts
from learners.golden import INPUTS_MAX, check_golden, sound_inputs
from learners.joined import Turn, join_then_reveal
from learners.making import Making, untrained_parts
from learners.outputs import Digest, Outputs
from learners.parts import Ended, Parts, Sealed
from learners.pending import Entry, Pending
from learners.points import Point, Points, Series
from learners.predictor import Prediction, Predictor
from learners.prefix import Ahead
from learners.recipe import Recipe
from learners.rounds import Quick, Round, ask_then_reveal, predict_then_learn, reveal_the_rest
from learners.running import Running
from learners.state import capture, load, load_all
from learners.sums import Sum
from learners.table import Column, Layout, Table
from learners.written import Written


class Learner(Facts):
    """Learns events in order, each after its prediction. Not thread-safe; make it by `new` or `restore`."""

    def __init__(self, parts: Parts, golden: str | None = None) -> None:
        parts.lessons = getattr(parts, "lessons", ())  # older bytes have none
        self._predictor = Predictor(parts.model, parts.recipe.task, probabilities=parts.probabilities)
        super().__init__(parts, Running(parts, self._predictor))
        self.doubt = Doubt(parts, golden, self._running.settle)
        self._digest = Digest()
        self._points = Points()
        self.ahead: Ahead | None = None

    @classmethod
    def new(cls, recipe: Recipe, **making: Unpack[Making]) -> Learner:
        """Return an untrained learner. Raises MetricError for a metric that does not fit the task or the model."""
        return cls(untrained_parts(recipe, making))

    @property
    def model(self) -> Any:
        """The model as it is now: for asking, in a copy of the learner that is thrown away."""
        self._running.settle()
        return self._parts.model

    @property
    def parts(self) -> Parts:
        """What it is made of; the board there has a listener."""
        self._running.touch()
        return self._parts

    def switch(self, *, static: bool) -> None:
        """Make the model static from here on, or let it learn again."""
        self._parts.static_since = self.learned if static else None
        self._running.look_again()

    def test_then_train(
        self,
        xs: Sequence[dict[str, Any]],
        ys: Sequence[Any],
        moments: Sequence[int] = (),
        dues: Sequence[int | None] = (),
    ) -> None:
        """Predict, score and learn each event, in order. A score point is recorded at every multiple of `window`.

        Every x has its features in the order of `features`. Labels: bool (binary), any hashable (multiclass), float.
        Where labels come later, `moments` and `dues` are when each event is asked and its label revealed
        (microseconds; a label or time that nobody knows is None), and it is learned then. Raises LearnFailed if the
        model raises: the learner is then tainted and must be restored.
        """
        assert len(xs) == len(ys)
        self._running.see(len(xs))
        if self._parts.pending is not None:
            quick = self._quick(xs.layout if isinstance(xs, Table) else None)
            events = list(zip(xs, ys, moments, dues, strict=True))
            self._judge_all(
                self._parts.pending, ask_then_reveal(self._parts.pending, *self._calls_later, events, quick)
            )
            return
        if isinstance(xs, Table) and xs:
            if self._learn_columns(xs, ys):
                return
            xs, ys = xs.rows(), list(ys)
        self._running.touch()
        start = 0
        while start < len(xs):
            stop = min(len(xs), start + self._parts.board.room(self.learned))
            self._learn(xs[start:stop], ys[start:stop], start)
            start = stop

    def _learn_columns(self, xs: Table, ys: Sequence[Any]) -> bool:
        """Let the compiled model learn the events, and score them; False if river must do it."""
        if self.ahead is not None or self.doubt.recording or (outputs := self._running.run(xs, ys)) is None:
            return False
        self._parts.inputs.extend(xs[-INPUTS_MAX:])
        self._predictor.digest(self._digest, outputs)
        self._note(xs, outputs)
        self._score(xs, ys, outputs)
        return True

    def _score(self, xs: Sequence[dict[str, Any]], ys: Sequence[Any], outputs: Outputs) -> None:
        """Judge what was answered to events that have their labels, beside what the rivals answer."""
        self._parts.board.score_all(xs, ys, outputs, self.learned, self._reached)
        self._note_lessons(ys)

    def _learn(self, xs: Sequence[dict[str, Any]], ys: Sequence[Any], first: int) -> None:
        parts = self._parts
        parts.inputs.extend([dict(x) for x in xs[-INPUTS_MAX:]])
        with parts.learning():
            if self.ahead is not None:
                raw = self.ahead.predict_then_learn(ys, first)
            elif self.doubt.recording:
                raw = predict_then_learn(*self.doubt.calls(self._predictor.ask, parts.learn), xs, ys, first)
            else:
                raw = self._running.by_river(xs, ys, first)
        self._score(xs, Column.of(ys), self._answered(xs, raw).in_columns())

    def _note_lessons(self, ys: Sequence[Any]) -> None:
        last = list(self._parts.inputs)[-len(ys) :]
        self.doubt.learned([Entry(x, y) for x, y in zip(last, ys[-INPUTS_MAX:], strict=True)])

    @property
    def _calls_later(self) -> tuple[Callable[[Any], Any], Callable[[Entry], Any]]:
        return self.doubt.calls_later(*self._parts.calls_later(self._predictor.ask))

    def _answered(self, xs: Sequence[Mapping[str, Any]], raw: Sequence[Any] | Outputs) -> Outputs:
        """Take in what the model answered to the next events: into the digest, and the counts of unusable answers."""
        try:
            outputs = raw if isinstance(raw, Outputs) else self._predictor.outputs(raw)
            self._predictor.digest(self._digest, outputs)
        except Exception as error:  # the model may be the user's own, and answer anything
            raise LearnFailed(None, error) from error
        self._note(xs, outputs)
        return outputs

    def _note(self, xs: Sequence[Mapping[str, Any]], outputs: Outputs) -> None:
        """Count the answers that are unusable, and let those that are not bear witness."""
        self._parts.board.ask(outputs)
        self.doubt.take(xs, outputs)

    def take_turns(self, turns: Sequence[Turn], layout: Layout | None = None) -> None:
        """Ask each event, and learn each label, in the order of their times; labels are joined to events by their ids.

        For a learner that was made with labels of their own. With the `layout` of its events in columns, the model may
        be compiled. Raises LearnFailed, as `test_then_train`.
        """
        pending = self._parts.pending
        assert pending is not None, "labels come later"
        assert pending.ids is not None, "labels have a log of their own"
        self._running.see(len(turns))
        quick = self._quick(layout)
        self._judge_all(pending, join_then_reveal(pending, pending.ids, *self._calls_later, turns, quick))

    def _quick(self, layout: Layout | None) -> Quick | None:
        """Return what lets an engine learn events of this layout, if that is known, where labels come later."""
        if layout is not None and not self.doubt.recording:
            return partial(self._running.carry_out, layout)
        self._running.touch()
        return None

    def _judge_all(self, pending: Pending, rounds: Iterator[Round]) -> None:
        while (part := self._next(rounds)) is not None:
            self._judge(part)
        self._parts.health.lose(pending.gone)
        pending.pack()

    def strike(self, numbers: Iterable[int]) -> None:
        """Let pending events expire now, by the numbers in which they were asked: the model cannot learn their labels.

        What is not pending is left alone.
        """
        pending = self._parts.pending
        if pending is not None:
            for number in numbers:
                pending.strike(number)
            self._parts.health.lose(pending.gone)

    def close(self) -> None:
        """Reveal and learn every label that is known and not yet due, as evaluation does at the end of a stream."""
        if self._parts.pending is not None:
            self._running.touch()
            self._judge_all(self._parts.pending, reveal_the_rest(self._parts.pending, self._calls_later[1]))

    def _next(self, rounds: Iterator[Round]) -> Round | None:
        with self._parts.learning():  # only here: a static rival that is asked learns nothing
            return next(rounds, None)

    def _judge(self, part: Round) -> None:
        """Note what was answered, and score what was revealed."""
        self._parts.inputs.extend([dict(entry.x) for entry in part.asked[-INPUTS_MAX:]])
        outputs = self._answered([entry.x for entry in part.asked], part.outputs or part.raw)
        self._parts.board.rivals.answer_ahead(part, outputs, self.learned)
        self._score_revealed(part)
        self._parts.health.take(part.asked, part.revealed, ())
        self.doubt.learned(part.revealed)

    def _score_revealed(self, part: Round) -> None:
        """Judge what was predicted when each was asked; record points at every multiple of `window`, at its clock."""
        parts, start = self._parts, 0
        while start < len(part.revealed):
            entries = part.revealed[start : start + parts.board.room(self.learned)]
            parts.board.score_revealed(entries)
            start += len(entries)
            self._reached(len(entries), clock=part.clocks[start - 1])

    def _reached(self, events: int, series: Series | None = None, *, clock: int | None = None) -> None:
        """Count judged events; record a point at every multiple of `window`: those of a series; a rival may begin."""
        self._parts.learned += events
        if series is not None:
            self._parts.last_point = self._points.extend(series) or self._parts.last_point
        elif self.learned % self.window == 0:
            self._point(clock)
        self._parts.board.reach(self.learned)

    def predict_one(self, x: Mapping[str, Any]) -> Prediction:
        """Return the prediction for x; learn nothing. Unknown keys are dropped. Raises LearnFailed."""
        return self.predict_many([x])[0]

    def predict_many(self, xs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """Return the prediction for each x; learn nothing. Unknown keys are dropped. Raises LearnFailed."""
        self._running.settle()
        return self._predictor.predict_many(self._parts.features, xs)

    def point(self) -> None:
        """Record a score point, unless there is one for this count of events."""
        self._point(None if self._parts.pending is None else self._parts.pending.clock)

    def _point(self, clock: int | None) -> None:
        if self._parts.last_point != self.learned:
            self._parts.last_point = self.learned
            self._points.append(Point(self.learned, self.scores(), self.baseline_scores(), clock))

    def seal(self) -> Sealed:
        """End the segment and return what its version keeps, as `end_segment`.

        The bytes are those of the renewed learner. Golden predictions are made by a reloaded copy. Raises StateError.
        """
        sealed = self.write().proved()
        self.doubt.sealed(sound_inputs(sealed.golden))
        return sealed

    def write(self) -> Written:
        """End the segment, as `seal`, but leave it to others to prove what was written. Raises StateError.

        Call `doubt.sealed` with the `sound_inputs` of the golden predictions when they are there.
        """
        self._parts.lessons = self.doubt.lessons()
        parts, digest, points = self._parts, self._digest.hexdigest(), self._points
        labels, since = parts.labels(), self.renew()
        pieces = () if parts.pending is None else parts.pending.pieces()
        captured = capture({"parts": replace(parts, pending=None, model=self._running.to_write())}, pieces)
        inputs, (witnesses, lessons) = list(parts.inputs), self.doubt.renew()
        return Written(captured, digest, points, labels, since, inputs, witnesses, lessons, self.exclusive)

    def end_segment(self) -> Ended:
        """End the segment and return what it predicted and scored. Since-last scores, digest and points begin anew."""
        ended = Ended(self._digest.hexdigest(), self.scores(), self.baseline_scores(), self._points)
        self.renew()
        return ended

    def renew(self) -> list[list[Sum]]:
        """End the segment, as `end_segment`, and return only what was counted since the last one."""
        self._digest, self._points = Digest(), Points()
        return self._parts.board.renew()

    @classmethod
    def restore(cls, state: bytes, golden: str | None = None) -> Learner:
        """Return the learner that was sealed; with `golden`, only if a copy answers as the sealed one did.

        Raises StateError. A model from a factory restores only where its module can be imported.
        """
        if golden is not None:
            check_golden(golden, cls(load(state)["parts"]).predict_one)
        read, pending = load_all(state, Pending.of)
        read["parts"].pending = pending
        return cls(read["parts"], golden)
