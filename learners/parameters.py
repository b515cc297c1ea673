"""One parameter of a recipe, changed in its text: what grids are made of."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from learners.errors import RecipeError
from learners.notation import dotted, parse_notation, public_classes

Literal = bool | int | float | str | None


def with_parameter(text: str, name: str, parameter: str, value: Literal) -> str | None:
    """Return river's notation with a parameter of each call of a class changed; None where no call is of that class.

    `name` is the class as river's notation has it, or its last parts. A parameter that is not written there is added.
    Raises RecipeError for a parameter that the class does not have.

    >>> with_parameter("linear_model.LogisticRegression(optim.SGD(0.1))", "optim.SGD", "lr", 0.01)
    'linear_model.LogisticRegression(optim.SGD(0.01))'
    >>> with_parameter("linear_model.LogisticRegression(optim.SGD(0.1))", "LogisticRegression", "l2", 1)
    'linear_model.LogisticRegression(optim.SGD(0.1), l2=1)'
    """
    tree = parse_notation(text)
    meant = _classes(name)
    found = [(call, cls) for call, cls in _calls(tree) if cls in meant]
    for call, cls in found:
        _set(call, cls, parameter, ast.Constant(value))
    return ast.unparse(tree) if found else None


def parameters(text: str) -> dict[str, tuple[str, ...]]:
    """Return the classes that a recipe calls, as they are written there, and the parameters that each has.

    >>> parameters("preprocessing.StandardScaler() | linear_model.ALMAClassifier()")["linear_model.ALMAClassifier"]
    ('p', 'alpha', 'B', 'C')
    """
    return {str(dotted(call.func)): _names(cls) for call, cls in _calls(parse_notation(text))}


def steps(text: str) -> list[str]:
    """Return what a recipe is a pipeline of: the names of the classes, without where river has them.

    >>> steps("preprocessing.StandardScaler() | linear_model.LogisticRegression()")
    ['StandardScaler', 'LogisticRegression']
    """
    return list(_steps(parse_notation(text)))


def _steps(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _steps(node.left)
        yield from _steps(node.right)
        return
    name = dotted(node.func if isinstance(node, ast.Call) else node)
    yield "…" if name is None else name.rsplit(".", 1)[-1]


def _calls(tree: ast.expr) -> Iterator[tuple[ast.Call, type]]:
    known = public_classes()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (cls := known.get(dotted(node.func) or "")) is not None:
            yield node, cls


def _classes(name: str) -> set[type]:
    """Return the classes that a name means: its last parts will do."""
    name = name.removeprefix("river.")
    return {cls for full, cls in public_classes().items() if full == name or full.endswith(f".{name}")}


def _signature(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters that can be named, in their order."""
    try:
        found = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return {}
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: parameter for name, parameter in found.items() if parameter.kind not in several}


def _names(cls: type) -> tuple[str, ...]:
    return tuple(_signature(cls))


def _set(call: ast.Call, cls: type, parameter: str, value: ast.expr) -> None:
    """Give a call another value of a parameter, where it stands or at the end."""
    signature = _signature(cls)
    if parameter not in signature:
        has = ", ".join(signature) or "none that can be changed"
        raise RecipeError(f"{dotted(call.func)} has no parameter {parameter}", hint=f"it has: {has}")
    positional = [name for name, each in signature.items() if each.kind is not each.KEYWORD_ONLY]
    place = positional.index(parameter) if parameter in positional else len(call.args)
    for keyword in call.keywords:
        if keyword.arg == parameter:
            keyword.value = value
            return
    if place < len(call.args):
        call.args[place] = value
    else:
        call.keywords.append(ast.keyword(parameter, value))
