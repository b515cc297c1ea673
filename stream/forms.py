"""Which form batches take: columns for a model that is compiled, rows for one that river runs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from learners import RecipeError, Task, read_recipe, why_river
from learners.table import Layout
from stream.columns import layout_of
from stream.config import Config
from stream.schema import Schema

COMPILED = "compiled"
ASKED_FOR = '[model] engine = "river" asks for it'


def why_rows(config: Config, recipe: str, schema: Schema) -> str | None:
    """Say why events come in rows, and river runs the model; None: they come in columns, and it is compiled."""
    if config.model.engine == "river":
        return ASKED_FOR
    at_question, copied = config.validation.unsupervised == "question", config.validation.static_after is not None
    layout = layout_of(schema.features)
    return _why_river(recipe, config.model.task, config.base, layout, at_question=at_question, copied=copied)


def told(why: str | None) -> str:
    """Say who runs the model.

    >>> told(None), told("numba is not installed")
    ('compiled', 'river: numba is not installed')
    """
    return COMPILED if why is None else f"river: {why}"


@lru_cache(maxsize=64)
def _why_river(recipe: str, task: Task, base: Path, layout: Layout, *, at_question: bool, copied: bool) -> str | None:
    try:
        known = read_recipe(recipe, task, search_path=base)
    except RecipeError as error:
        return f"its recipe cannot be read here: {error}"
    return why_river(known, layout, at_question=at_question, copied=copied)
