"""Compiled learners: river's models on arrays, event by event, bit for bit; many times as fast.

A river model that is recognised gets an *engine*. An engine takes its state from the model, learns batches of columns,
and gives the state back: afterwards the model is what it would be, had it learned the events itself, to the order of
its keys. Whatever is odd is left to river, with the state as it was: so exceptions and NaN are river's own.

No numba here: an engine's kernels are compiled in a process of their own (`learners.compiled.library`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from learners.compiled.inputs import ALL
from learners.compiled.library import LIBRARIES, Library, loaded, on_disk, ready
from learners.table import Column, Layout, Table

MODULES = (
    *("powers", "scaling_kernel", "linear_kernel", "lanes_kernel", "bayes_kernel", "slots_kernel"),
    *("split_kernel", "leaf_kernel", "tree_kernel"),
)
LIBRARY = Library("engines", *(f"learners.compiled.{each}" for each in MODULES))


class Engine(Protocol):
    """What learns in the place of a river model, between `load` and `store`."""

    @property
    def classes(self) -> Sequence[Any]:
        """Classes in the order of the columns of answers; none where these have one dimension."""

    def load(self, model: Any) -> None:
        """Take the state over from the model, whatever it is."""

    def run(
        self, xs: Table, ys: Sequence[Any] | Column, weights: Sequence[float] | None, asks: np.ndarray = ALL
    ) -> np.ndarray | None:
        """Predict, then learn, event by event; what weighs nothing is not learned. Return the answers, float64.

        Where labels come later, `asks` (bool, of shape (events,)) tells which are asked only: the answers are theirs.
        The others are taught only, and `ys` and `weights` are those of these.

        Of shape (events,): the probability of True of a binary classifier, the number of a regressor. Or of shape
        (events, classes): probabilities, NaN of a class that was not known when an event was asked. None if anything is
        odd (a number that is not finite in state or answer, labels of another type, what river would raise at):
        then the state is what it was before.
        """

    def ask(self, xs: Table) -> np.ndarray | None:
        """Return answers without learning; None as in `run`."""

    def store(self, model: Any) -> None:
        """Give the state back to the model from which it was taken. It may be called again, after more events."""


@runtime_checkable
class Lending(Protocol):
    """An engine that need not give back all of its state for a version to be made."""

    @property
    def lends(self) -> bool:
        """Whether it would lend now: then it only copies arrays, in a millisecond at most."""

    def lend(self, model: Any) -> tuple[Any, Callable[[], Any]] | None:
        """Give the state back, except to one part of the model; return that, and what makes it anew as it is now.

        The latter can be pickled, and called in any thread or process, whatever the engine does meanwhile; the model's
        own part stays behind. None if all is to be stored.
        """


@runtime_checkable
class Pausing(Protocol):
    """An engine that leaves an event to river once in a while: with the whole batch that has it."""

    def pauses(self, count: int) -> bool:
        """Tell whether it leaves so many events to river, if each weighs 1, and takes those that follow."""


def hindrance(model: Any, layout: Layout, task: str) -> str | None:
    """Say why `engine_for` makes no engine, in words; None if it makes one, now or once it is compiled."""
    from learners.compiled.recognition import recognise  # noqa: PLC0415 - river, of which who decodes needs nothing

    found = recognise(model, layout, task)
    return found if isinstance(found, str) else LIBRARY.hindrance()


def is_lent(model: Any, layout: Layout, task: str) -> bool:
    """Tell whether `engine_for` makes an engine that is `Lending`, now or once it is compiled."""
    from learners.compiled.recognition import recognise  # noqa: PLC0415 - as above
    from learners.compiled.tree_options import TREE  # noqa: PLC0415

    found = recognise(model, layout, task)
    return not isinstance(found, str) and type(found.last(model)) is TREE and LIBRARY.hindrance() is None


def engine_for(model: Any, layout: Layout, task: str) -> Engine | str | None:
    """Return an engine for a river model and tables of this layout, loaded; or why there is none, in words.

    None while it is being compiled, in a process beside this one: ask again later. A binary classifier answers by the
    probability of True, whether it is asked for that or for labels: river's label is True where that is over one half.
    """
    from learners.compiled import slotted  # noqa: PLC0415 - as above
    from learners.compiled.bayes import BayesEngine  # noqa: PLC0415
    from learners.compiled.linear import LinearEngine  # noqa: PLC0415
    from learners.compiled.recognition import recognise  # noqa: PLC0415
    from learners.compiled.tree import TreeEngine  # noqa: PLC0415
    from learners.compiled.tree_options import TREE  # noqa: PLC0415

    found = recognise(model, layout, task)
    if isinstance(found, str):
        return found
    if not LIBRARY.ready():
        return LIBRARY.why
    linear = found.linear
    engine: Engine
    if found.slotted:
        engine = slotted.engine(found, layout)
    elif linear is not None:
        engine = LinearEngine(found, linear, layout)
    else:
        engine = (TreeEngine if type(found.last(model)) is TREE else BayesEngine)(found, layout)
    engine.load(model)
    return engine


__all__ = [
    "LIBRARIES",
    "Engine",
    "Lending",
    "Pausing",
    "engine_for",
    "hindrance",
    "is_lent",
    "loaded",
    "on_disk",
    "ready",
]
