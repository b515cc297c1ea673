"""Object code of kernels on disk: where it lies, what it depends on, and whether it is whole. Imports no numba.

A file is found by its name, which tells all that the code depends on: the sources of all that may take part, Python,
platform, processor, llvmlite, numba. So nothing is ever out of date; and it is written beside, then renamed, so that
processes need not agree on anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
MAGIC = b"tidemark kernels 1\n"
REFUSED_S = 600.0
"""So long a failure is remembered: then it is tried again."""

CPU_LINES = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU ")


@dataclass(frozen=True, slots=True)
class Kept:
    """Objects of code, the symbols under which kernels are found in them, and what they need from outside."""

    objects: tuple[bytes, ...]
    symbols: dict[str, str]
    needs: tuple[str, ...]

    def pack(self) -> bytes:
        """Return it as bytes."""
        head = json.dumps([[len(each) for each in self.objects], self.symbols, self.needs]).encode()
        body = len(head).to_bytes(8, "little") + head + b"".join(self.objects)
        return MAGIC + hashlib.sha256(body).digest() + body

    @classmethod
    def unpack(cls, packed: bytes) -> Kept | None:
        """Return what was packed, None if it is not whole.

        >>> kept = Kept((b"code",), {"f": "_f"}, ("exp",))
        >>> Kept.unpack(kept.pack()) == kept, Kept.unpack(kept.pack()[:-1]), Kept.unpack(b"")
        (True, None, None)
        """
        begin = len(MAGIC) + 32
        body = packed[begin:]
        if not packed.startswith(MAGIC) or packed[len(MAGIC) : begin] != hashlib.sha256(body).digest():
            return None
        place = 8 + int.from_bytes(body[:8], "little")
        sizes, symbols, needs = json.loads(body[8:place])
        objects = []
        for size in sizes:
            objects.append(body[place : place + size])
            place += size
        return cls(tuple(objects), symbols, tuple(needs))


class Shelf:
    """Where the code of some modules is kept: beside the sources, else in the user's cache; or in NUMBA_CACHE_DIR."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self._stem = f"tidemark-{name}-{_key(files)}"
        self._numba = _version("numba")

    def find(self) -> Kept | None:
        """Return the code, None if there is none that is whole. Without numba, that of any numba will do."""
        names = [self._name(".kernels")] if self._numba else [f"{self._stem}-*.kernels"]
        for folder in folders():
            for name in names:
                for path in _matching(folder, name):
                    if found := Kept.unpack(_bytes_of(path)):
                        return found
        return None

    def put(self, packed: bytes) -> None:
        """Keep the code where that can be done."""
        self._put(".kernels", packed)

    def refuse(self, why: str) -> None:
        """Note that it cannot be compiled, in words."""
        self._put(".refused", why.encode())

    def refused(self) -> str | None:
        """Return why it could not be compiled lately."""
        for folder in folders():
            path = folder / self._name(".refused")
            try:
                if time.time() - path.stat().st_mtime < REFUSED_S:
                    return path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
        return None

    def lock_path(self) -> Path | None:
        """Return a file that those who compile the same may lock, so that one of them does it."""
        folder = next((each for each in folders() if _writable(each)), None)
        return None if folder is None else folder / self._name(".lock")

    def _name(self, suffix: str) -> str:
        return f"{self._stem}-{self._numba}{suffix}"

    def _put(self, suffix: str, data: bytes) -> None:
        for folder in folders():
            beside = folder / self._name(f".{os.getpid()}")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                beside.write_bytes(data)
                beside.replace(folder / self._name(suffix))
            except OSError:
                with suppress(OSError):
                    beside.unlink()
                continue
            return


def folders() -> Iterator[Path]:
    """Yield where code may lie, the best place first."""
    if told := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(told)
        return
    yield HERE / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "tidemark"


def _matching(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(name)) if "*" in name else [folder / name]


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _key(files: Sequence[Path]) -> str:
    """Return a hash of what code depends on, but for numba."""
    known = hashlib.sha256()
    for path in sorted({*HERE.glob("*.py"), *files}):
        known.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    system = (sys.version, sys.platform, platform.machine(), _version("llvmlite"), _processor())
    known.update("\0".join(map(str, system)).encode())
    return known.hexdigest()[:24]


def _processor() -> str:
    """Return what the processor is and can."""
    try:
        first, _, _ = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")
    except OSError:
        first = ""
    if lines := [line for line in first.splitlines() if line.startswith(CPU_LINES)]:
        return "\n".join(lines)
    import llvmlite.binding as llvm  # type: ignore[import-untyped] # noqa: PLC0415 - 50 MB: only where it must be

    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
