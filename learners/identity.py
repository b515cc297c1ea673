"""The identity of a recipe: one text for all the ways to spell the same untrained model.

Two recipes with the same identity build the same model: class paths and all parameters, defaults included, in sorted
order; steps in their order; functions by name and a hash of their source.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from typing import Any

import numpy as np
from river import base, compose


def identify(part: Any) -> str:
    """Return the canonical text of a model or a parameter.

    >>> from river import optim
    >>> identify(optim.SGD(0.005)) == identify(optim.SGD(lr=0.005))
    True
    >>> identify({"b", "a"}), identify((1, 1.0, True, None))
    ("{'a', 'b'}", '(1, 1.0, True, None,)')
    """
    if part is None or isinstance(part, bool | int | float | complex | str | bytes):
        return repr(part)
    if isinstance(part, type):
        return _path(part)
    if isinstance(part, base.Base):
        return f"{_path(type(part))}({', '.join(_parameters(part))})"
    if isinstance(part, dict | set | frozenset | list | tuple):
        return _identify_collection(part)
    return _identify_other(part)


def _identify_collection(part: Any) -> str:
    if isinstance(part, dict):
        items = sorted((identify(key), identify(value)) for key, value in part.items())
        return f"{{{', '.join(f'{key}: {value}' for key, value in items)}}}"
    if isinstance(part, set | frozenset):
        return f"{{{', '.join(sorted(map(identify, part)))}}}"
    if isinstance(part, list):
        return f"[{', '.join(map(identify, part))}]"
    return f"({''.join(f'{identify(element)}, ' for element in part).rstrip(' ')})"


def _identify_other(part: Any) -> str:
    if isinstance(part, np.ndarray):
        return f"ndarray({part.dtype}, {part.shape}, {hashlib.sha256(part.tobytes()).hexdigest()})"
    if isinstance(part, functools.partial):
        return f"partial({identify(part.func)}, {identify(part.args)}, {identify(part.keywords)})"
    if inspect.isroutine(part):
        return f"{part.__module__}.{part.__qualname__}#{source_hash(part)}"
    if hasattr(part, "__dict__"):
        return f"{_path(type(part))}({identify(vars(part))})"
    return f"{_path(type(part))}({part!r})"


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _parameters(part: base.Base) -> list[str]:
    """Return the steps, or else `name=value` for each parameter, sorted; as river's Base._get_params, but nested."""
    if isinstance(part, compose.Pipeline):
        return [identify(step) for step in part.steps.values()]
    if isinstance(part, compose.TransformerUnion | compose.TransformerProduct):
        return [identify(step) for step in part.transformers.values()]
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(type(part)).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            found.update(getattr(part, name, {}))
        else:
            found[name] = getattr(part, name, None)
    return [f"{name}={identify(value)}" for name, value in sorted(found.items())]


def source_hash(function: Any) -> str:
    """Return the sha256 of a function's source; where there is none, of its compiled code or its name."""
    try:
        source = inspect.getsource(function).encode()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        source = repr((code.co_code, code.co_consts)).encode() if code else str(function.__qualname__).encode()
    return hashlib.sha256(source).hexdigest()
