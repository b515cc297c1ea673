"""Grids: a parameter of a learner, and the values that it is to have, as a person writes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from learners.errors import RecipeError
from learners.parameters import Literal, parameters, with_parameter
from learners.recipe import FACTORY
from stream.errors import ConfigError

_WRITTEN = re.compile(r"((?:[A-Za-z_]\w*\.)+)([A-Za-z_]\w*)\s*=\s*(.+)", re.DOTALL)
_EXAMPLE = 'for example --grid "optim.SGD.lr=0.001,0.01,0.1"'


@dataclass(frozen=True, slots=True)
class Grid:
    """A parameter of a class, and its values.

    >>> read_grid("optim.SGD.lr = 0.001, 0.01")
    Grid(cls='optim.SGD', parameter='lr', values=(0.001, 0.01))
    """

    cls: str
    parameter: str
    values: tuple[Literal, ...]

    def told(self, value: Literal) -> str:
        """Say one of its settings."""
        return f"{self.cls}.{self.parameter}={value!r}"


def read_grid(text: str) -> Grid:
    """Read what a person wrote. Raises `ConfigError`."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"expected --grid as CLASS.PARAMETER=VALUE,VALUE, found {text!r}", _EXAMPLE)
    try:
        values = ast.literal_eval(f"({found[3]},)")
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        values = ((),)
    if wrong := [value for value in values if value is not None and not isinstance(value, bool | int | float | str)]:
        shown = found[3] if wrong == [()] else repr(wrong[0])
        raise ConfigError(
            f"expected numbers, quoted text, True, False or None, with commas, in --grid {text!r}; found {shown}",
            _EXAMPLE,
        )
    if len({repr(value) for value in values}) < len(values):
        raise ConfigError(f"expected each value once, found one twice in --grid {text!r}", "leave one out")
    return Grid(found[1].rstrip("."), found[2], values)


def vary(learner: str, grids: Sequence[Grid]) -> dict[str, str]:
    """Return the learner with every combination of the values of the grids that fit it: what is set, to its text.

    Without any that fits it is itself, with nothing set. Raises `ConfigError` for a parameter that a class has not.

    >>> vary("linear_model.LinearRegression(optim.SGD(0.1))", [read_grid("SGD.lr=0.01,1.0"), read_grid("Adam.lr=1")])
    {'SGD.lr=0.01': 'linear_model.LinearRegression(optim.SGD(0.01))', \
'SGD.lr=1.0': 'linear_model.LinearRegression(optim.SGD(1.0))'}
    """
    made = {"": learner}
    for grid in grids:
        if fits(grid, learner):
            made = {
                ", ".join(filter(None, (name, grid.told(value)))): changed
                for name, text in made.items()
                for value in grid.values
                if (changed := _changed(text, grid, value)) is not None
            }
    return made


def fits(grid: Grid, learner: str) -> bool:
    """Tell whether a learner has a call of the grid's class. Nobody can see one in a factory of one's own."""
    return not FACTORY.fullmatch(learner) and _changed(learner, grid, grid.values[0]) is not None


def what_there_is(learners: Sequence[str]) -> str:
    """Say which parameters the learners have."""
    found: dict[str, tuple[str, ...]] = {}
    for learner in learners:
        found.update({} if FACTORY.fullmatch(learner) else parameters(learner))
    return "; ".join(f"{name}: {', '.join(names)}" for name, names in found.items() if names) or "none"


def _changed(text: str, grid: Grid, value: Literal) -> str | None:
    try:
        return with_parameter(text, grid.cls, grid.parameter, value)
    except RecipeError as error:
        raise ConfigError(f"--grid {grid.told(value)}: {error}", error.hint) from error
