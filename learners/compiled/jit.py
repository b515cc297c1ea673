"""Kernels: functions on arrays that are compiled to object code, and called without numba. Here they are marked.

A kernel has one signature, in numba's notation: C-contiguous arrays and numbers; it returns a number, a tuple of
numbers, or nothing. It makes no array and raises nothing; else it is refused when it is compiled, in a process of its
own (`learners.compiled.building`). A `Library` has its kernels compiled, keeps their code and lets them be called.

No fast-math: each operation rounds as Python's does. A division by zero gives what IEEE says; who calls looks for that.
"""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

SCALARS = {
    "float64": ("d", np.dtype(np.float64)),
    "int64": ("q", np.dtype(np.int64)),
    "boolean": ("?", np.dtype(bool)),
    "uint8": ("B", np.dtype(np.uint8)),
}
"""What kernels take and return, by numba's names: the letter of `struct`, the type of numpy."""

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

    def __init__(self, plain: Callable[..., Any], signature: str, *, apart: bool = False) -> None:
        """`apart`: no two of the arrays that it is given share memory, and its code relies on that."""
        self.plain, self.signature, self.apart = plain, signature, apart
        self.name = f"{plain.__module__}.{plain.__qualname__}: {signature}"
        self.__doc__ = plain.__doc__
        self.returns, self.takes = _read(signature)
        self._single = len(self.returns) == 1 and not signature.startswith("Tuple")
        letters = ["P" + "q" * dimensions if dimensions else SCALARS[name][0] for name, dimensions in self.takes]
        self._given = struct.Struct("@" + "".join(letters))
        self._found = struct.Struct("@" + "".join(SCALARS[name][0] for name in self.returns))
        self._arrays = [(SCALARS[name][1], dimensions) for name, dimensions in self.takes]
        self._blocks: list[tuple[bytearray, int]] = []
        self._native: Any = None
        self._code: Any = None

    def bind(self, address: int, code: Any) -> None:
        """Let calls go to this address: a function of a pointer to a block, laid out by `call_of`. `code` is kept."""
        self._code = code  # in memory, as long as it may be called
        self._native = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)

    def __call__(self, *args: Any) -> Any:
        """Run it. The interpreter's lock is released meanwhile."""
        flat: list[Any] = []
        for (dtype, dimensions), value in zip(self._arrays, args, strict=True):
            if not dimensions:
                flat.append(value)
                continue
            fits = value.dtype is dtype or value.dtype == dtype
            if not fits or value.ndim != dimensions or not value.flags.c_contiguous:
                raise TypeError(f"expected {dtype} in {dimensions} dimensions, contiguous, for {self.name}")
            flat += (_address_of(value), *value.shape)
        assert self._native is not None, "its library is ready"
        block, address = self._blocks.pop() if self._blocks else self._block()
        self._given.pack_into(block, 0, *flat)
        status = self._native(address)
        found = self._found.unpack_from(block, self._given.size)
        self._blocks.append((block, address))
        if status not in FINE:
            raise RuntimeError(f"{self.name} failed: it was to raise nothing")
        return found[0] if self._single else found or None

    def call_of(self, name: str, native: str) -> str:
        """Return code in LLVM's language for a function that takes a block: what is given, then room for the result.

        An array is its address and its shape; numba's own function takes it apart, in more pieces. All is of 8 bytes.
        """
        lines, given, place = [], ["ptr %result", "ptr %error"], 0

        def load(kind: str) -> str:
            nonlocal place
            lines.append(f"%p{place} = getelementptr i64, ptr %block, i64 {place}")
            lines.append(f"%v{place} = load {kind}, ptr %p{place}")
            place += 1
            return f"{kind} %v{place - 1}"

        for kind, dimensions in self.takes:
            if not dimensions:
                given.append(load({"float64": "double", "int64": "i64"}[kind]))
                continue
            data, size = load("ptr"), SCALARS[kind][1].itemsize
            shape = [load("i64") for _ in range(dimensions)]
            strides = [str(size)]
            for length in reversed(shape):
                strides.insert(0, f"%s{len(lines)}")
                lines.append(f"{strides[0]} = mul i64 {strides[1]}, {length.split()[1]}")
            count = f"%n{place}"
            lines.append(f"{count} = udiv exact i64 {strides[0]}, {size}")
            steps = [f"i64 {each}" for each in strides[1:]]
            given += ["ptr null", "ptr null", f"i64 {count}", f"i64 {size}", data, *shape, *steps]
        kinds = ", ".join(each.split()[0] for each in given)
        lines.append(f"%result = getelementptr i64, ptr %block, i64 {place}")
        lines.append("%error = alloca ptr")
        lines.append(f'%status = call i32 @"{native}"({", ".join(given)})')
        body = "\n  ".join(lines)
        return (
            f'declare i32 @"{native}"({kinds})\ndefine i32 @"{name}"(ptr %block) {{\n  {body}\n  ret i32 %status\n}}\n'
        )

    def _block(self) -> tuple[bytearray, int]:
        block = bytearray(self._given.size + self._found.size + 8)
        return block, ctypes.addressof(ctypes.c_char.from_buffer(block))


def inner(function: F) -> F:
    """Mark a function that kernels may call."""
    INNER.append(function)
    return function


def kernel(signature: str, *, apart: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Mark a function that is called from Python; `apart`: see `Kernel`."""

    def marked(function: Callable[..., Any]) -> Kernel:
        KERNELS.append(made := Kernel(function, signature, apart=apart))
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


def _address_of(array: np.ndarray) -> int:
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type] # three times as fast as what follows
    except (TypeError, ValueError):  # it is read-only, or empty
        place: int = array.__array_interface__["data"][0]
        return place
