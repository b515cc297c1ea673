"""A recipe: a named, untrained model with its parameters. Configuration as code, read and checked before it learns."""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from river import base

from learners.errors import RAISED_BY_MODELS, RecipeError, UnseededRecipe
from learners.identity import identify
from learners.notation import read_notation
from learners.randomness import unseeded

Task = Literal["binary", "multiclass", "regression"]
FACTORY = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build, for which task, and its identity: the same for every spelling of the same model.

    `source_hash` is the sha256 of a factory's module; None for river's notation.

    >>> a = read_recipe("linear_model.LogisticRegression(optim.SGD(0.005))", "binary")
    >>> b = read_recipe("linear_model.LogisticRegression(optimizer=optim.SGD(lr=5e-3))", "binary")
    >>> a.identity == b.identity
    True
    """

    text: str
    task: Task
    identity: str
    source_hash: str | None = None
    search_path: Path | None = field(default=None, compare=False, repr=False)

    def build(self) -> Any:
        """Return the model, untrained and new at each call."""
        return _build(self.text, self.search_path)


def read_recipe(text: str, task: Task, search_path: Path | None = None) -> Recipe:
    """Read river's notation, or `package.module:factory` (imported from `search_path` too), and check it for the task.

    Raises RecipeError if the text is neither or the model does not fit the task, UnseededRecipe if it has a random part
    without a seed. A factory's module stays imported: what it builds can be restored only where it can be imported.
    """
    text = text.strip()
    model = _build(text, search_path)
    _check_task(model, task)
    twin = _build(text, search_path)
    if model is twin:
        raise RecipeError(f"{text} returned the same model twice", hint="return a new model at each call")
    found = unseeded(model, twin)
    if found:
        path, name = found
        raise UnseededRecipe(
            f"{path} ({name}) is random and has no seed: no version of this model could be proved or rebuilt",
            hint=_seed_hint(path, name),
        )
    identity, source = identify(model), None
    match = FACTORY.fullmatch(text)
    if match:
        source = _source_hash(match[1])
        identity = f"{identity}#{source}"
    return Recipe(text, task, identity, source, search_path)


def _seed_hint(path: str, name: str) -> str:
    if name == "SWINN":
        return "give the model engine=neighbors.SWINN(seed=42), or better engine=neighbors.LazySearch()"
    if name in ("Random", "RandomState", "Generator"):
        return f"make the generator at {path} with a fixed seed"
    return f"give it one: {name}(…, seed=42)"


def _build(text: str, search_path: Path | None) -> Any:
    match = FACTORY.fullmatch(text)
    return _call_factory(match[1], match[2], search_path) if match else read_notation(text)


def _call_factory(module_name: str, name: str, search_path: Path | None) -> Any:
    paths = [str(search_path)] if search_path else []
    sys.path[:0] = paths
    try:
        factory = getattr(importlib.import_module(module_name), name)
        return factory()
    except (*RAISED_BY_MODELS, SyntaxError) as error:
        raise RecipeError(
            f"{module_name}:{name} gave no model: {type(error).__name__}: {error}",
            hint="it must be a function without arguments, in a module that Python finds, that returns a river model",
        ) from error
    finally:
        for path in paths:
            sys.path.remove(path)


def _source_hash(module_name: str) -> str:
    path = getattr(sys.modules[module_name], "__file__", None)
    if path is None:
        raise RecipeError(f"{module_name} has no source file", hint="name the module that defines the factory")
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _check_task(model: Any, task: Task) -> None:
    expected: Any = base.Regressor if task == "regression" else base.Classifier
    name = last_step(model).__class__.__name__
    if isinstance(model, type) or not isinstance(model, expected):
        kind = "regressor" if task == "regression" else "classifier"
        raise RecipeError(f"task {task!r} needs a {kind}, {name} is none", hint=f"end the recipe with a {kind}")
    if isinstance(model, base.MultiLabelClassifier | base.MultiTargetRegressor):
        raise RecipeError(f"{name} has several targets, an event here has one", hint="use a model with one target")
    if task == "multiclass" and not model._multiclass:  # noqa: SLF001 - river's only way to ask
        raise RecipeError(
            f"task 'multiclass' needs a classifier for many classes, {name} knows two",
            hint=f"wrap it: multiclass.OneVsRestClassifier(…{name}(…))",
        )


def last_step(model: Any) -> Any:
    """Return the last step of a pipeline, of nested ones too; another model itself.

    >>> from river import linear_model, preprocessing
    >>> type(last_step(preprocessing.StandardScaler() | linear_model.LinearRegression())).__name__
    'LinearRegression'
    """
    while hasattr(model, "_last_step"):
        model = model._last_step  # noqa: SLF001 - river's only way to ask
    return model
