"""Compiled learners: river's models on arrays, event by event, bit for bit; many times as fast.

A river model that is recognised gets an *engine*. An engine takes its state from the model, learns batches of columns,
and gives the state back: afterwards the model is what it would be, had it learned the events itself, to the order of
its keys. Whatever is odd is left to river, with the state as it was: so exceptions and NaN are river's own.

numba is imported when the first engine is made, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from learners.compiled.recognition import Found, recognise
from learners.table import Column, Layout, Table


class Engine(Protocol):
    """What learns in the place of a river model, between `load` and `store`."""

    def load(self, model: Any) -> None:
        """Take the state over from the model, whatever it is."""

    def run(self, xs: Table, ys: Sequence[Any] | Column, weights: Sequence[float] | None) -> np.ndarray | None:
        """Predict, then learn, event by event; what weighs nothing is not learned. Return the answers, float64.

        Of shape (events,): the probability of True of a binary classifier, the number of a regressor. None if anything
        is odd (a number that is not finite in state or answer, labels of another type, what river would raise at):
        then the state is what it was before.
        """

    def ask(self, xs: Table) -> np.ndarray | None:
        """Return answers without learning; None as in `run`."""

    def store(self, model: Any) -> None:
        """Give the state back to the model from which it was taken. It may be called again, after more events."""


def hindrance(model: Any, layout: Layout, task: str) -> str | None:
    """Say why `engine_for` makes no engine, in words; None if it makes one. Imports no numba."""
    found = recognise(model, layout, task)
    if isinstance(found, str):
        return found
    return "numba is not installed" if find_spec("numba") is None else None


def engine_for(model: Any, layout: Layout, task: str, probabilities: bool) -> Engine | str:  # noqa: ARG001, FBT001
    """Return an engine for a river model and tables of this layout, loaded; or why there is none, in words.

    A binary classifier answers by the probability of True, whether it is asked for `probabilities` or for labels:
    river's label is True where that is more than one half.
    """
    found = recognise(model, layout, task)
    if isinstance(found, str):
        return found
    if find_spec("numba") is None:
        return "numba is not installed"
    try:
        engine = _made(found, layout)
    except Exception as error:  # noqa: BLE001 - river runs it all the same
        return f"numba does not work here: {error}"
    engine.load(model)
    return engine


def _made(found: Found, layout: Layout) -> Engine:
    """Kernels are compiled when their module is imported: so late, since that takes its time."""
    from learners.compiled.linear import LinearEngine  # noqa: PLC0415

    return LinearEngine(found, layout)


__all__ = ["Engine", "engine_for", "hindrance"]
