"""Kernels: functions on arrays that are compiled to object code, and called without numba. Here they are marked.

A kernel has one signature, in numba's notation: C-contiguous arrays and numbers; it returns a number, a tuple of
numbers, or nothing. It makes no array and raises nothing; else it is refused when it is compiled, in a process of its
own (`learners.compiled.building`). A `Library` has its kernels compiled, keeps their code and lets them be called.

No fast-math: each operation rounds as Python's does. A division by zero gives what IEEE says; who calls looks for that.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

SCALARS: dict[str, tuple[Any, Any]] = {
    "float64": (ctypes.c_double, np.dtype(np.float64)),
    "int64": (ctypes.c_int64, np.dtype(np.int64)),
    "boolean": (ctypes.c_bool, np.dtype(np.bool_)),
}
"""What a kernel takes and returns: numba's name, the type in C, that of numpy."""

FINE = (0, -2)
"""What numba's code returns: with a result, without one."""

INNER: list[Callable[..., Any]] = []
KERNELS: list[Kernel] = []
"""All that were marked, by modules that were imported."""


class Kernel:
    """A function of one signature; callable once a `Library` has bound it to its code.

    >>> twice = Kernel(lambda x: 2 * x, "float64(float64)")
    >>> twice.name
    'learners.compiled.jit.<lambda>: float64(float64)'
    """

    def __init__(self, plain: Callable[..., Any], signature: str) -> None:
        self.plain, self.signature = plain, signature
        self.name = f"{plain.__module__}.{plain.__qualname__}: {signature}"
        self.__doc__ = plain.__doc__
        result, takes = _read(signature)
        self.takes = takes
        self._result = _result_of(result)
        self._single = len(result) == 1 and not signature.startswith("Tuple")
        self._native: Any = None

    def bind(self, address: int) -> None:
        """Let calls go to the code at this address: numba's own convention, arrays taken to pieces."""
        types: list[Any] = []
        for name, dimensions in self.takes:
            number = SCALARS[name][0]
            array = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p] + [ctypes.c_int64] * 2 * dimensions
            types += array if dimensions else [number]
        self._native = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *types)(address)

    def __call__(self, *args: Any) -> Any:
        """Run it. The interpreter's lock is released meanwhile."""
        flat: list[Any] = []
        for (name, dimensions), value in zip(self.takes, args, strict=True):
            if not dimensions:
                flat.append(value)
                continue
            if value.dtype != SCALARS[name][1] or value.ndim != dimensions or not value.flags.c_contiguous:
                raise TypeError(f"expected {name} in {dimensions} dimensions, contiguous, for {self.name}")
            place = value.__array_interface__["data"][0]
            flat += (None, None, value.size, value.itemsize, place, *value.shape, *value.strides)
        assert self._native is not None, "its library is ready"
        result = self._result()
        if self._native(ctypes.byref(result), ctypes.byref(ctypes.c_void_p()), *flat) not in FINE:
            raise RuntimeError(f"{self.name} failed: it was to raise nothing")
        found = [getattr(result, field) for field, _ in self._result._fields_]
        return found[0] if self._single else tuple(found) or None


def inner(function: F) -> F:
    """Mark a function that kernels may call."""
    INNER.append(function)
    return function


def kernel(signature: str) -> Callable[[Callable[..., Any]], Kernel]:
    """Mark a function that is called from Python."""

    def marked(function: Callable[..., Any]) -> Kernel:
        KERNELS.append(made := Kernel(function, signature))
        return made

    return marked


def _read(signature: str) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the types of the results, and names and dimensions of what it takes.

    >>> _read("Tuple((int64, float64))(float64[:, ::1], int64)")
    (['int64', 'float64'], [('float64', 2), ('int64', 0)])
    >>> _read("void(boolean[::1])")
    ([], [('boolean', 1)])
    """
    found = re.fullmatch(r"(Tuple\(\((?P<many>[\w, ]+)\)\)|(?P<one>\w+))\((?P<takes>.*)\)", signature)
    assert found is not None, f"expected a signature such as float64(float64[:, ::1], int64), found {signature}"
    results = [each for each in re.findall(r"\w+", found["many"] or found["one"]) if each != "void"]
    takes = [(name, len(re.findall(":+", shape))) for name, shape in re.findall(r"(\w+)(\[[:1, ]*\])?", found["takes"])]
    unknown = {*results, *(name for name, _ in takes)} - set(SCALARS)
    assert not unknown, f"expected the types {', '.join(SCALARS)}; found {', '.join(unknown)}"
    return results, takes


def _result_of(names: list[str]) -> Any:
    fields = [(f"f{place}", SCALARS[name][0]) for place, name in enumerate(names)]
    return type("Result", (ctypes.Structure,), {"_fields_": fields})
