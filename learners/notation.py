"""Reads river's own notation, and nothing else, from text that may be hostile.

Allowed: calls of river's public classes, the classes themselves uncalled, literals, `|`, `+` and `*` of models.
There is no eval: the tree of the text is walked, and names are looked up in a table of river's public classes only.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import inspect
import warnings
from collections.abc import Callable
from typing import Any

from river import base

from learners.errors import RAISED_BY_MODELS, RecipeError

TEXT_CHARS_MAX = 10_000
"""A recipe is a line; ten thousand characters are an attack or a mistake."""

DEPTH_MAX = 100
"""Nesting of the syntax tree; a pipeline of n steps is n deep."""

PACKAGES = (
    "anomaly",
    "bandit",
    "cluster",
    "compose",
    "conf",
    "covariance",
    "drift",
    "dummy",
    "ensemble",
    "facto",
    "feature_extraction",
    "feature_selection",
    "forest",
    "imblearn",
    "linear_model",
    "metrics",
    "misc",
    "model_selection",
    "multiclass",
    "multioutput",
    "naive_bayes",
    "neighbors",
    "optim",
    "preprocessing",
    "proba",
    "rules",
    "sketch",
    "stats",
    "time_series",
    "tree",
    "utils",
)
"""River's packages without those that read files or networks, or whose models do not answer to x alone."""

NOT_OFFERED = {"base", "datasets", "envs", "FuncTransformer"}
"""Abstract classes, data, environments, and the one class that is made to run any function."""

BUILTINS: dict[str, type] = {"bool": bool, "float": float, "int": int, "str": str}
"""Types that river takes as arguments (compose.SelectType); they may be named, never called."""

ALLOWED = "calls of river's classes, literals, | + and *"


@functools.cache
def public_classes() -> dict[str, type]:
    """Return river's public classes by their dotted names, without `river.`.

    >>> public_classes()["optim.losses.Log"].__name__
    'Log'
    """
    found: dict[str, type] = {}
    for package in PACKAGES:
        _collect(importlib.import_module(f"river.{package}"), package, found)
    return found


def _collect(module: Any, path: str, found: dict[str, type]) -> None:
    for name in getattr(module, "__all__", None) or sorted(vars(module)):
        part = getattr(module, name, None)
        if name.startswith("_") or name in NOT_OFFERED:
            continue
        if inspect.isclass(part) and part.__module__.startswith("river."):
            found[f"{path}.{name}"] = part
        elif inspect.ismodule(part) and part.__name__ == f"river.{path}.{name}":
            _collect(part, f"{path}.{name}", found)


def read_notation(text: str) -> Any:
    """Return what the text describes, built anew. Raises RecipeError, whatever the text is.

    >>> read_notation("linear_model.LogisticRegression(optimizer=optim.SGD(0.005))").optimizer.lr.learning_rate
    0.005
    >>> read_notation("__import__('os').system('id')")
    Traceback (most recent call last):
    learners.errors.RecipeError: not river's notation in line 1: __import__('os').system
    """
    return _value(parse_notation(text))


def parse_notation(text: str) -> ast.expr:
    """Return the tree of a text, small enough to walk; what it names is not looked at. Raises RecipeError."""
    if len(text) > TEXT_CHARS_MAX:
        raise RecipeError(f"a recipe of at most {TEXT_CHARS_MAX:,} characters, not {len(text):,}", hint="use a factory")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(f"({text.strip()}\n)", mode="eval")  # it may go over several lines
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or str(error) or "nested too deeply"
        raise RecipeError(f"not river's notation: {reason}", hint=f"allowed are {ALLOWED}") from None
    _check_depth(tree)
    if tree.body.col_offset == 0 and tree.body.lineno == 1:  # nothing, or text that closes our bracket: "1)(2"
        raise RecipeError("not river's notation: no single expression", hint=f"allowed are {ALLOWED}")
    return tree.body


def _check_depth(tree: ast.AST) -> None:
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise RecipeError(f"a recipe nested at most {DEPTH_MAX} deep, this one is deeper", hint="use a factory")
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _value(node: ast.expr) -> Any:
    read = _READERS.get(type(node))
    if read is None:
        raise _refused(node)
    return read(node)


def _refused(node: ast.expr) -> RecipeError:
    shown = ast.unparse(node)[:60].encode("ascii", "backslashreplace").decode()
    return RecipeError(
        f"not river's notation in line {node.lineno}: {shown}",
        hint=f'allowed are {ALLOWED}; for more, write a function and name it: "package.module:function"',
    )


def _constant(node: ast.Constant) -> Any:
    if node.value is not None and type(node.value) not in (bool, int, float, str):
        raise _refused(node)
    return node.value


def _signed(node: ast.UnaryOp) -> Any:
    number = node.operand.value if isinstance(node.operand, ast.Constant) else None
    if isinstance(node.op, ast.UAdd | ast.USub) and type(number) in (int, float):
        return -number if isinstance(node.op, ast.USub) else number  # type: ignore[operator]
    raise _refused(node)


def _list(node: ast.List) -> list[Any]:
    return [_value(element) for element in node.elts]


def _tuple(node: ast.Tuple) -> tuple[Any, ...]:
    return tuple(_value(element) for element in node.elts)


def _set(node: ast.Set) -> set[Any]:
    return _called(node, set, [_value(element) for element in node.elts])  # type: ignore[no-any-return]


def _dict(node: ast.Dict) -> dict[Any, Any]:
    if any(key is None for key in node.keys):
        raise _refused(node)
    pairs = [(_value(key), _value(value)) for key, value in zip(node.keys, node.values, strict=True) if key is not None]
    return _called(node, dict, pairs)  # type: ignore[no-any-return]


def dotted(node: ast.expr) -> str | None:
    """Return the dotted name that the node is, without `river.`; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)]).removeprefix("river.")


def _class(node: ast.expr) -> type:
    """Return the public class that the node names."""
    name = dotted(node)
    if name is None or "__" in name:
        raise _refused(node)
    known = public_classes()
    if name in known:
        return known[name]
    last = name.rsplit(".", 1)[-1]
    near = [full for full in known if full.rsplit(".", 1)[-1].lower() == last.lower()]
    near = near[:3] or difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "see https://riverml.xyz for the names river has"
    raise RecipeError(f"river has no public class {name.encode('ascii', 'backslashreplace').decode()}", hint=hint)


def _reference(node: ast.Name | ast.Attribute) -> type:
    if isinstance(node, ast.Name) and node.id in BUILTINS:
        return BUILTINS[node.id]
    return _class(node)


def _call(node: ast.Call) -> Any:
    cls = _class(node.func)
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        raise _refused(node)
    keywords = {}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg.startswith("_") or keyword.arg in keywords:
            raise _refused(node)
        keywords[keyword.arg] = _value(keyword.value)
    return _called(node, cls, *[_value(argument) for argument in node.args], **keywords)


def _called(node: ast.expr, make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return make(*args, **kwargs)
    except RAISED_BY_MODELS as error:
        shown = ast.unparse(node)[:60].encode("ascii", "backslashreplace").decode()
        raise RecipeError(f"river refuses {shown}: {error}", hint=_signature(make)) from error


def _signature(make: Callable[..., Any]) -> str:
    try:
        return f"its arguments: {inspect.signature(make)}"
    except (TypeError, ValueError):
        return "look at its arguments"


def _combined(node: ast.BinOp) -> Any:
    left, right = _value(node.left), _value(node.right)
    both = isinstance(left, base.Estimator) and isinstance(right, base.Estimator)
    if isinstance(node.op, ast.BitOr) and both:
        return _called(node, lambda: left | right)
    if isinstance(node.op, ast.Add) and both:
        return _called(node, lambda: left + right)
    by = isinstance(left, base.Estimator) and isinstance(right, str | list | tuple)
    if isinstance(node.op, ast.Mult) and (both or by):
        return _called(node, lambda: left * right)
    raise _refused(node)


_READERS: dict[type[ast.expr], Callable[[Any], Any]] = {
    ast.Constant: _constant,
    ast.UnaryOp: _signed,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.Name: _reference,
    ast.Attribute: _reference,
    ast.Call: _call,
    ast.BinOp: _combined,
}
