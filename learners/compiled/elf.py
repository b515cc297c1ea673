"""Loads object code where it is ELF for x86-64, as LLVM makes it here; without llvmlite, which would take 50 MB.

LLVM compiles for memory that may lie anywhere: each reference is an address of 64 bits, to be filled in. Anything else
is not understood, and left to llvmlite. Layout: System V ABI, generic and AMD64 supplement.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Callable, Iterator, Sequence

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELOCATION = struct.Struct("<QQq")

MAGIC = b"\x7fELF\x02\x01"
RELOCATABLE, X86_64 = 1, 62
SYMBOLS, WITH_ADDENDS, ZEROS, WITHOUT_ADDENDS = 2, 4, 8, 9
WRITABLE, ALLOCATED = 1, 2
UNDEFINED, COMMON = 0, 0xFFF2
ADDRESS = 1
"""R_X86_64_64."""
RUN = 1 | 4
"""PROT_READ, PROT_EXEC."""


Section = tuple[int, ...]
Symbol = tuple[str, int, int]


class NotUnderstood(Exception):
    """It is no object of this kind."""


class Code:
    """Code in this process's memory, for as long as this lives."""

    def __init__(self, objects: Sequence[bytes], outside: Callable[[str], int]) -> None:
        """Load objects; `outside` returns addresses of what they call. Raises NotUnderstood, and OSError."""
        self._addresses: dict[str, int] = {}
        self._kept = [self._load(each, outside) for each in objects]

    def get_function_address(self, symbol: str) -> int:
        """Return where a function begins."""
        return self._addresses[symbol]

    def _load(self, code: bytes, outside: Callable[[str], int]) -> tuple[mmap.mmap, ctypes.c_char]:
        sections, symbols = _read(code)
        places, size = _lay_out(sections, symbols)
        memory = mmap.mmap(-1, max(size, 1))
        view = ctypes.c_char.from_buffer(memory)
        base = ctypes.addressof(view)
        for number, place in places.items():
            if number < len(sections) and sections[number][1] != ZEROS:
                offset, length = sections[number][4:6]
                memory[place : place + length] = code[offset : offset + length]
        addresses = [
            outside(name) if section == UNDEFINED and name else base + places.get(section, 0) + value
            for name, section, value in symbols
        ]
        for target, place, symbol, more in _references(code, sections):
            struct.pack_into("<Q", memory, places[target] + place, addresses[symbol] + more)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mprotect(ctypes.c_void_p(base), ctypes.c_size_t(len(memory)), RUN):
            raise OSError(ctypes.get_errno(), "memory may not be run")
        self._addresses |= {name: address for (name, _, _), address in zip(symbols, addresses, strict=True)}
        return memory, view


def _read(code: bytes) -> tuple[list[Section], list[Symbol]]:
    """Return sections; and names, sections and values of symbols."""
    if not code.startswith(MAGIC):
        raise NotUnderstood("no ELF")
    _, kind, machine, _, _, _, begin, _, _, _, _, _, count, _ = HEADER.unpack_from(code)
    if (kind, machine) != (RELOCATABLE, X86_64):
        raise NotUnderstood(f"kind {kind} for machine {machine}")
    sections = [SECTION.unpack_from(code, begin + SECTION.size * number) for number in range(count)]
    if any(each[1] == WITHOUT_ADDENDS or (each[2] & ALLOCATED and each[2] & WRITABLE) for each in sections):
        raise NotUnderstood("relocations without addends, or memory that is written to")
    symbols: list[Symbol] = []
    for _, kind, _, _, offset, length, strings, _, _, _ in sections:
        if kind == SYMBOLS:
            names = sections[strings][4]
            for name, _, _, section, value, _ in SYMBOL.iter_unpack(code[offset : offset + length]):
                end = code.index(b"\0", names + name)
                symbols.append((code[names + name : end].decode(), section, value))
    return sections, symbols


def _references(code: bytes, sections: Sequence[Section]) -> Iterator[tuple[int, int, int, int]]:
    """Yield section and place of each reference, the number of its symbol, and what is added."""
    for _, kind, _, _, offset, length, _, target, _, _ in sections:
        if kind == WITH_ADDENDS and sections[target][2] & ALLOCATED:
            for place, what, more in RELOCATION.iter_unpack(code[offset : offset + length]):
                if what & 0xFFFFFFFF != ADDRESS:
                    raise NotUnderstood(f"relocation {what & 0xFFFFFFFF}")
                yield target, place, what >> 32, more


def _lay_out(sections: Sequence[Section], symbols: Sequence[Symbol]) -> tuple[dict[int, int], int]:
    """Return places of sections, by their numbers, and of all common symbols; and the size of all."""
    places, end = {}, 0
    for number, (_, _, flags, _, _, length, _, _, align, _) in enumerate(sections):
        if flags & ALLOCATED:
            end += -end % max(align, 1)
            places[number] = end
            end += length
    if any(section == COMMON for _, section, _ in symbols):  # a pointer for each function of numba, that nobody reads
        end += -end % 64
        places[COMMON] = end
        end += 64
    return places, end
