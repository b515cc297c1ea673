"""Who runs a model: the compiled engine where there is one, else river; and the state handed over between the two.

Invariant: whoever runs it, and wherever they change over, predictions, scores and state are river's, bit for bit. A
snapshot always holds the river model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from learners.bulk import LIBRARY
from learners.calls import paired
from learners.compiled import Engine, Lending, Pausing, engine_for, hindrance, is_lent, loaded, on_disk
from learners.deferred import Deferred
from learners.outputs import Outputs
from learners.parts import Parts
from learners.predictor import Predictor
from learners.prefix import Ahead, Prefix
from learners.probable import Probable
from learners.recipe import Recipe
from learners.rounds import Round, predict_then_learn
from learners.table import Layout, Table
from learners.weights import age_of

AT_QUESTION = "its unsupervised parts learn when it is asked"
WAIT = 2000
"""So many events a process leaves to river first: who reads so few needs no compiler. Where code is to be compiled
first, that is done beside us, and river goes on until it is there."""

COPIED = "a static copy of it is made on the way"


def why_river(recipe: Recipe, layout: Layout, *, at_question: bool, copied: bool) -> str | None:
    """Say why river runs the recipe's model on such events; None if it is compiled.

    `at_question`: unsupervised parts learn when asked; `copied`: a static copy is judged.
    """
    for hindered, why in ((at_question, AT_QUESTION), (copied, COPIED)):
        if hindered:
            return why
    return hindrance(recipe.build(), layout, recipe.task)


def code_on_disk() -> str:
    """Say which compiled code is here already; where there is none yet, that is no hindrance."""
    return ", ".join(on_disk()) or "none yet (it is compiled beside the first trainer, while river runs the model)"


class Running:
    """Runs the model of a learner on events in columns, where it can be compiled.

    The engine and the model take turns: `settle` before anyone looks at the model, `touch` before anyone changes it.
    """

    def __init__(self, parts: Parts, predictor: Predictor) -> None:
        self.why: str | None = None  # why there is no engine, once that is known
        self.away = False  # river has the last batch, by plan: the engine is to have the next
        self._parts = parts
        self._engine: Engine | None = None
        self._layout: Layout | None = None
        self._met: Layout | None = None  # of the last events in columns
        self._predictor = predictor
        self._seen = 0
        self._looked = False
        self._waiting = False  # until it is compiled
        self._steps: tuple[Prefix, Ahead] | None = None
        self._loaded = False  # the engine knows all that the model does
        self._ahead = False  # the engine knows more

    def see(self, events: int) -> None:
        """Count events that are to be learned, by whomever: once they are many, their scores pay a compiler, too."""
        self._seen += events
        self.away = False
        if self._seen > WAIT:
            LIBRARY.ready()

    def run(self, xs: Table, ys: Sequence[Any]) -> Outputs | None:
        """Predict, then learn, event by event; return the answers, or None where river must do it."""
        self._met = xs.layout
        engine = self._ready(xs.layout)
        if engine is None:
            return None
        weights = self._parts.weights
        self.away = isinstance(engine, Pausing) and not weights and engine.pauses(len(xs))
        return self._taken(engine.run(xs, ys, weights.column(xs) if weights else None))

    def carry_out(self, layout: Layout, part: Round) -> bool:
        """Ask and learn what a round has, each in its turn; return False where river must do it. Labels come later."""
        engine = self._ready(layout)
        if engine is not None:
            entries, asks = part.in_order()
            xs = [entry.x for entry in entries]
            if (table := Table.exactly(layout, xs)) is not None and (weights := self._weights(part)) is not None:
                ys = [entry.y for entry in part.revealed]
                raw = engine.run(table, ys, weights or None, np.array(asks, dtype=bool))
                part.outputs = _kept(raw, self._taken(raw))
        if part.outputs is None:
            self.touch()
        return part.outputs is not None

    def _weights(self, part: Round) -> list[float] | None:
        """Return the weight of each event that is revealed, none if they have none; None if one cannot be told."""
        weights = self._parts.weights
        try:
            return [weights.of(entry.x, age_of(entry)) for entry in part.revealed] if weights else []
        except (LookupError, TypeError, ArithmeticError):
            return None

    def _ready(self, layout: Layout) -> Engine | None:
        """Return the engine for events of this layout, with the state as it is; None if there is none."""
        if self._parts.static_since is not None or (self._seen <= WAIT and not loaded()):
            return None
        engine = self._fitting(layout)
        if engine is not None and not self._loaded:
            engine.load(self._parts.model)
            self._loaded = True
        return engine

    def _taken(self, raw: np.ndarray | None) -> Outputs | None:
        """Take in what the engine answered."""
        self._ahead = self._ahead or raw is not None
        return None if raw is None else self._outputs(raw)

    def by_river(self, xs: Sequence[dict[str, Any]], ys: Sequence[Any], first: int) -> list[Any]:
        """Let river predict, then learn; return its raw answers. First steps of a pipeline go ahead: the same calls.

        `first` is the number of the first event. Raises LearnFailed.
        """
        self.touch()
        if not self._looked:
            self._looked = True
            prefix = Prefix.of(self._parts)
            self._steps = None if prefix is None else (prefix, prefix.join(self._parts))
        if self._steps is None:
            return predict_then_learn(*paired(self._predictor.ask, self._parts.learn), xs, ys, first)
        prefix, ahead = self._steps
        ahead.see(prefix.go(xs))
        return ahead.predict_then_learn(ys, first)

    def look_again(self) -> None:
        """Forget which steps may go ahead: the model is made static, or learns again."""
        self._looked = False

    def settle(self) -> None:
        """Let the model know all that the engine does."""
        if self._ahead:
            assert self._engine is not None, "somebody is ahead"
            self._engine.store(self._parts.model)
            self._ahead = False

    @property
    def lends(self) -> bool:
        """Whether the model is not to be pickled when it is written: see `Lending`."""
        engine: Any = self._engine
        return self._loaded and isinstance(engine, Lending) and engine.lends

    @property
    def will_lend(self) -> bool:
        """Whether `lends` is to be expected once an engine runs the model."""
        parts, layout = self._parts, self._met
        may = layout is not None and parts.static_since is None and self._may_be_compiled
        return may and layout is not None and is_lent(parts.model, layout, parts.recipe.task)

    @property
    def _may_be_compiled(self) -> bool:
        return not self._parts.at_question and self._parts.board.rivals.static is None

    def to_write(self) -> Any:
        """Return what is to be pickled as the model: itself, or what stands for it until the bytes are written."""
        engine: Any = self._engine
        model = self._parts.model
        if self._loaded and isinstance(engine, Lending) and (lent := engine.lend(model)) is not None:
            return Deferred(model, *lent)
        self.settle()
        return model

    def touch(self) -> None:
        """Let the model know all, and the engine forget: the model is about to change."""
        self.settle()
        self._loaded = False

    def _fitting(self, layout: Layout) -> Engine | None:
        """Return the engine for events of this layout, None if there is none."""
        if layout != self._layout or self._waiting:
            self.touch()
            parts = self._parts
            found: Engine | str | None = "not asked"
            if self._may_be_compiled:
                found = engine_for(parts.model, layout, parts.recipe.task)
                self.why = found if isinstance(found, str) else None
            self._engine, self._layout = (None if isinstance(found, str) else found), layout
            self._waiting = found is None
        return self._engine

    def _outputs(self, raw: np.ndarray) -> Outputs:
        """Put the answers of an engine into columns."""
        assert self._engine is not None, "it has answered"
        task, classes = self._parts.recipe.task, self._engine.classes
        if raw.ndim > 1:
            if not np.isnan(raw).any() and classes:
                return Outputs.of_table(classes, raw)
            known = [[each for each in zip(classes, row, strict=True) if each[1] == each[1]] for row in raw.tolist()]
            return Outputs.of_probabilities(list(map(dict, known)))
        return Outputs.of_positives(raw) if task == "binary" else Outputs.of_floats(raw)


def _kept(raw: np.ndarray | None, outputs: Outputs | None) -> Outputs | None:
    """Return what is kept of answers until labels come, as river has it: its sigmoid answers a whole 0 or 1."""
    if raw is None or outputs is None or not isinstance(outputs.numbers, Probable) or raw.ndim > 1:
        return outputs
    ends = np.flatnonzero((raw == 0.0) | (raw == 1.0)).tolist()
    if not ends:
        return outputs
    numbers = outputs.numbers.rows()
    for place in ends:
        numbers[place][True] = int(numbers[place][True])
    return replace(outputs, numbers=numbers)
