"""Finds random parts without a seed anywhere in a model: a version that holds one can be neither proved nor rebuilt.

River's distributions (river.proba) hold a generator that only one of their methods reads, for bandit.ThompsonSampling:
elsewhere it does not count as random.
"""

from __future__ import annotations

import functools
import inspect
import pickle
import random
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, cast

import numpy as np
from river import bandit
from river.proba.base import Distribution

Generator = random.Random | np.random.RandomState | np.random.Generator
ATOMS = frozenset((str, bytes, int, float, complex, bool, type(None)))
PLAIN = (str, bytes, int, float, complex, bool, type(None), type, np.ndarray)


def parts(model: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield (path, part, read) for every part of the model, once each; `read`: generators of distributions are read."""
    seen: set[int] = set()
    queue: deque[tuple[str, Any, bool]] = deque([(type(model).__name__, model, False)])
    while queue:
        path, part, read = queue.popleft()
        if isinstance(part, PLAIN) or inspect.ismodule(part) or inspect.isroutine(part) or id(part) in seen:
            continue
        seen.add(id(part))
        yield path, part, read
        if not isinstance(part, Generator):
            below = read or isinstance(part, bandit.ThompsonSampling)
            queue.extend((f"{path}{name}", child, below) for name, child in _children(part))


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        yield from ((f"[{key!r}]", value) for key, value in part.items() if type(value) not in ATOMS)
    elif isinstance(part, list | tuple | set | frozenset | deque):
        yield from ((f"[{index}]", value) for index, value in enumerate(part) if type(value) not in ATOMS)
    elif isinstance(part, functools.partial):
        yield from ((f".{name}", getattr(part, name)) for name in ("args", "keywords"))
    for name, value in getattr(part, "__dict__", {}).items():
        yield f".{name}", value
    for cls in type(part).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(part, name):
                yield f".{name}", getattr(part, name)


def unseeded(model: Any, twin: Any) -> tuple[str, str] | None:
    """Return (path, class name) of the first random part without a seed, or None. `twin` was built as the model was.

    A part is unseeded if its class takes a `seed` that is None, or if it holds a generator that differs in the twin.

    >>> from river import drift
    >>> unseeded(drift.KSWIN(), drift.KSWIN())
    ('KSWIN', 'KSWIN')
    >>> unseeded(drift.KSWIN(seed=1), drift.KSWIN(seed=1))
    """
    of_model = list(parts(model))
    for path, part, read in of_model:
        if (
            _takes_seed(cast("Hashable", type(part)))
            and getattr(part, "seed", None) is None
            and not _is_unread(part, read=read)
        ):
            return path, type(part).__name__
    ours, theirs = _generators(of_model), _generators(list(parts(twin)))
    return next(
        (
            (path, type(generator).__name__)
            for path, generator in ours.items()
            if path not in theirs or pickle.dumps(generator) != pickle.dumps(theirs[path])
        ),
        None,
    )


def _generators(of_model: Sequence[tuple[str, Any, bool]]) -> dict[str, Any]:
    """Return those that are read, by their paths."""
    unread = {id(part._rng) for _, part, read in of_model if _is_unread(part, read=read)}  # noqa: SLF001 - river's
    return {path: part for path, part, _ in of_model if isinstance(part, Generator) and id(part) not in unread}


def _is_unread(part: Any, *, read: bool) -> bool:
    return isinstance(part, Distribution) and part.seed is None and not read


@functools.cache
def _takes_seed(cls: Any) -> bool:
    try:
        return "seed" in inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return False
