"""Compiles the kernels of a library by numba, in a process of its own; keeps the code, and says it on standard output.

Before the code is kept, it is loaded and run on zeros, as it will be: what cannot be run ends this process, no other.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from learners.compiled.jit import INNER, SCALARS, Kernel
from learners.compiled.kept import Kept
from learners.compiled.library import COMPILING_S_MAX, WORDS_MAX, Library, load

NICE = 5
"""The events come first."""

OUTSIDE = frozenset(
    re.findall(
        r"\w+",
        """acos asin atan atan2 cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs floor fmod hypot log log10
        log1p log2 memcpy memmove memset pow rint round sin sinh sqrt tan tanh trunc""",
    )
)
"""What kernels may call outside: libm, by the names of C; and what compilers use to fill and copy."""

TRIED = 64
"""Length of each dimension of the arrays on which kernels are tried."""


class Refused(Exception):
    """A kernel cannot be compiled, or not be run without numba."""


def main(name: str, *modules: str) -> NoReturn:
    """Compile a library; end with 0 and its code on standard output, or with 1 and the reason in words."""
    signal.alarm(COMPILING_S_MAX)
    os.nice(NICE)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what others print is not for those who wait
    library = Library(name, *modules)
    try:
        with _locked(library.shelf.lock_path()):
            packed = _compiled(library)
    except Exception as error:  # noqa: BLE001 - whatever it is, river runs the model, and this is why
        begin = {Refused: "", ImportError: "numba does not work here: "}.get(type(error), "it cannot be compiled: ")
        words = " ".join(f"{begin}{error}".split())[:WORDS_MAX]
        library.shelf.refuse(words)
        out.write(words.encode())
        out.close()
        sys.exit(1)
    out.write(packed)
    out.close()
    sys.exit(0)


def _compiled(library: Library) -> bytes:
    if found := library.shelf.find():  # another process was first
        return found.pack()
    kept = compiled(library.kernels())
    _try(library, kept)
    library.shelf.put(packed := kept.pack())
    return packed


def compiled(kernels: list[Kernel]) -> Kept:
    """Return the code of kernels. Raises Refused, and whatever numba raises."""
    import numba  # noqa: PLC0415 - where it does not work, that is to be told

    for function in INNER:
        _replace(function, numba.njit(error_model="numpy", _nrt=False)(function))
    objects, symbols, needs = [], {}, set()
    for place, kernel in enumerate(kernels):
        symbols[kernel.name], code, called = _code_of(kernel, place)
        objects.append(code)
        needs |= called
    return Kept(tuple(objects), symbols, tuple(sorted(needs)))


def _replace(function: Any, by: Any) -> None:
    """Let all that call a function by a global name call another."""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is function:
                setattr(module, name, by)


def _code_of(kernel: Kernel, place: int) -> tuple[str, bytes, set[str]]:
    """Return symbol, code, and what it calls outside."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped] # noqa: PLC0415 - as numba
    from numba.core import compiler, registry, sigutils  # noqa: PLC0415 - as numba
    from numba.core.compiler_lock import global_compiler_lock  # noqa: PLC0415

    flags = compiler.Flags()
    flags.error_model, flags.nrt, flags.noalias = "numpy", False, kernel.apart
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    takes, returns = sigutils.normalize_signature(kernel.signature)
    target = registry.cpu_target
    with global_compiler_lock:
        made = compiler.compile_extra(
            target.typing_context, target.target_context, kernel.plain, takes, returns, flags, {}
        )
        made.library.enable_object_caching()
        symbol = f"tidemark_{place}"
        call = llvm.parse_assembly(kernel.call_of(symbol, made.fndesc.llvm_func_name))
        made.library.add_llvm_module(call)
        made.library.finalize()
    module = made.library._final_module  # noqa: SLF001 - numba has no other way
    if any(".const.pickle" in each.name for each in module.global_variables):
        raise Refused(f"{kernel.name} may raise an exception, which code without numba cannot")
    called = {_outside(each.name) for each in module.functions if each.is_declaration} - {""}
    if called - OUTSIDE:
        raise Refused(f"{kernel.name} calls {', '.join(sorted(called - OUTSIDE))}, which code without numba cannot")
    return symbol, made.library._get_compiled_object(), called  # noqa: SLF001


def _outside(name: str) -> str:
    """Return what is called for a name of LLVM: an intrinsic may become a call of libm, or instructions.

    >>> _outside("llvm.pow.f64"), _outside("llvm.assume"), _outside("sin")
    ('pow', '', 'sin')
    """
    intrinsic = re.match(r"llvm\.(\w+)", name)
    if intrinsic is None:
        return name
    return intrinsic[1] if intrinsic[1] in OUTSIDE else ""


def _try(library: Library, kept: Kept) -> None:
    """Load the code as others will, and run it on zeros."""
    engine = load(kept)
    for kernel in library.kernels():
        kernel.bind(engine.get_function_address(kept.symbols[kernel.name]), engine)
        kernel(*(_zeros(name, dimensions) for name, dimensions in kernel.takes))


def _zeros(name: str, dimensions: int) -> Any:
    dtype = SCALARS[name][1]
    return np.zeros((TRIED,) * dimensions, dtype=dtype) if dimensions else dtype.type(0).item()


@contextmanager
def _locked(path: Path | None) -> Iterator[None]:
    """Wait for others that compile the same; where that cannot be done, go on."""
    try:
        import fcntl  # noqa: PLC0415 - not everywhere

        file = path.open("ab") if path is not None else None
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):
        file = None
    try:
        yield
    finally:
        if file is not None:
            file.close()
