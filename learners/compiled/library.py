"""Libraries of kernels: compiled in a process of their own, kept on disk, loaded without numba.

1. `ready` looks for the code on disk and loads it: some milliseconds.
2. Where there is none, it starts a process that compiles it, and returns False: river goes on with the events.
3. Once that process has ended well, the code it sent is loaded. It has been loaded and run there before: a kernel that
   cannot be compiled, or that would end the process, says so in `why` and does no harm.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from learners.compiled.elf import Code, NotUnderstood
from learners.compiled.jit import KERNELS, Kernel
from learners.compiled.kept import HERE, Kept, Shelf

COMPILING_S_MAX = 300
"""A compiler that takes longer is ended, by itself."""

WORDS_MAX = 500

BEGIN = """
import sys
sys.path.insert(0, sys.argv[1])
import learners
del sys.path[0]
from learners.compiled.building import main
main(*sys.argv[2:])
"""
"""What the process runs: the very sources that this one has, wherever that was started."""

LIBRARIES: list[Library] = []
"""All that were made in this process."""


class Library:
    """The kernels of some modules. `why` says why they cannot be called, once that is known."""

    def __init__(self, name: str, *modules: str) -> None:
        self.name, self.modules = name, modules
        self.why: str | None = None
        self.loaded = False
        self._compiler: Compiler | None = None
        LIBRARIES.append(self)

    def ready(self, wait_s: float = 0.0) -> bool:
        """Tell whether the kernels may be called; have them compiled where they are not. Wait so long at most."""
        if self.loaded or self.why is not None:
            return self.loaded
        if self._compiler is None:
            found = self.shelf.find()
            if found is not None:
                return self._load(found)
            self.why = self.hindrance()
            if self.why is not None:
                return False
            try:
                self._compiler = Compiler(self.name, self.modules)
            except OSError as error:
                self.why = f"its compiler cannot be started: {error}"
                return False
        result = self._compiler.result(wait_s)
        if isinstance(result, Kept):
            return self._load(result)
        self.why = result
        return False

    def hindrance(self) -> str | None:
        """Say what stands in the way, as far as it can be known without loading or compiling anything."""
        if self.loaded or self.why is not None:
            return self.why
        if find_spec("numba") is None and self.shelf.find() is None:
            return "numba is not installed"
        return self.shelf.refused()

    @property
    def shelf(self) -> Shelf:
        """Where the code is kept."""
        return Shelf(self.name, [Path(str(importlib.import_module(each).__file__)) for each in self.modules])

    def kernels(self) -> list[Kernel]:
        """Return what is to be compiled."""
        for each in self.modules:
            importlib.import_module(each)
        return [each for each in KERNELS if each.plain.__module__ in self.modules]

    def _load(self, kept: Kept) -> bool:
        try:
            code = load(kept)
            for kernel in self.kernels():
                kernel.bind(code.get_function_address(kept.symbols[kernel.name]), code)
        except Exception as error:  # noqa: BLE001 - river runs it all the same
            self.why = f"its compiled code cannot be loaded: {error}"
            return False
        self.loaded = True
        return True


class Compiler:
    """A process that compiles. It has no terminal's signals, and ends by itself; what it says goes to a file."""

    def __init__(self, name: str, modules: Sequence[str]) -> None:
        """Start it. Raises OSError."""
        paths = os.pathsep.join(sys.path)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-c", BEGIN, str(HERE.parents[1]), name, *modules],
                env=os.environ | {"PYTHONPATH": paths},
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            self._said.close()
            raise

    def result(self, wait_s: float) -> Kept | str | None:
        """Return what it compiled, or why it did not; None while it does."""
        end = time.monotonic() + wait_s
        while (code := self._process.poll()) is None:
            if time.monotonic() >= end:
                return None
            time.sleep(0.02)
        self._said.seek(0)
        said = self._said.read()
        self._said.close()
        found = Kept.unpack(said) if code == 0 else None
        if found is not None:
            return found
        words = said.decode(errors="replace").strip()[:WORDS_MAX] if code > 0 else ""
        return words or f"its compiler ended with code {code}"


def load(kept: Kept) -> Any:
    """Load code into this process; return what knows the addresses of its symbols. Raises ImportError and others."""
    outside = ctypes.CDLL(getattr(math, "__file__", None))  # with the libm of Python's own exp and pow

    def address(name: str) -> int:
        return ctypes.cast(getattr(outside, name), ctypes.c_void_p).value or 0

    try:
        return Code(kept.objects, address)
    except NotUnderstood:  # another processor or system
        return _load_by_llvm(kept, address)


def _load_by_llvm(kept: Kept, address: Callable[[str], int]) -> Any:
    import llvmlite.binding as llvm  # type: ignore[import-untyped] # noqa: PLC0415 - 50 MB, for those who need it

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name in kept.needs:
        llvm.add_symbol(name, address(name))
    target = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    for each in kept.objects:
        engine.add_object_file(llvm.ObjectFileRef.from_data(each))
    engine.finalize_object()
    return engine


def loaded() -> bool:
    """Tell whether any library is loaded: then others cost little."""
    return any(each.loaded for each in LIBRARIES)


def on_disk() -> list[str]:
    """Return the names of the libraries whose code is kept here."""
    return [each.name for each in LIBRARIES if each.shelf.find() is not None]


def ready(wait_s: float) -> bool:
    """Tell whether all libraries may be called; wait so long at most for each that is being compiled."""
    for each in LIBRARIES:
        each.ready()  # all compilers work at once
    return all(each.ready(wait_s) for each in LIBRARIES)
