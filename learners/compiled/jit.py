"""Compiles a kernel for numba once, and keeps it on disk where that can be done. The only module that knows how.

A kernel is compiled for one signature, when its module is imported: no surprise in the middle of a stream. numba keeps
it beside the source or in the user's cache; where neither can be written, or what lies there is broken, it is compiled
anew in each process. Kernels and all that they call stand in one module, since numba looks only there for changes.

No fast-math: each operation rounds as Python's does. A division by zero gives what IEEE says; who calls looks for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def inner(function: F) -> F:
    """Return a function that kernels of its module may call."""
    made: F = numba.njit(error_model="numpy")(function)
    return made


def kernel(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function for one signature."""

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        def made(*, cache: bool) -> Callable[..., Any]:
            found: Callable[..., Any] = numba.njit(signature, error_model="numpy", cache=cache)(function)
            return found

        try:
            return made(cache=True)
        except Exception:  # noqa: BLE001 - whatever is wrong with the cache: without one, the kernel is the same
            return made(cache=False)

    return compiled
