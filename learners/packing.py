"""Nested values as bytes: what is mostly numbers takes little memory, and a million are written fast.

A value is made of dicts, tuples and leaves. Its *form* is all but the leaves' values: names and their order, and the
kind of each leaf. A leaf is a float (8 bytes), a constant (a label, a category: its number in a table) or any other
object (kept as it is). Forms and constants are bounded: a value beyond the bounds is kept whole.

Invariant: what is unpacked equals what was packed, bit for bit, with the same types and order of names.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from struct import Struct
from typing import Any

import numpy as np

FORMS_MAX = 1_000
"""Each combination of missing features is a form of its own."""

CONSTANTS_MAX = 65_536
CONSTANT_SIZE_MAX = 200
"""Characters, or bits, of a constant; with their number this bounds the table."""

SHEET_VALUES_MAX = 8_192
"""Values in one sheet: while it is made, they are in the processor's cache."""

_CONSTANTS: frozenset[type] = frozenset({bool, int, str, type(None)})
_KINDS: dict[type, str] = {float: "number", dict: "nested", tuple: "nested", **dict.fromkeys(_CONSTANTS, "constant")}
_NUMBER = Struct("<I")

Packed = bytes | tuple[Any, ...]
"""The number of the form, the codes of the constants, the numbers; in a tuple with the other leaves, if it has any."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Values of one form in columns, to be pickled: a constant's code is its place in `constants`."""

    form: Hashable
    names: bytes
    constants: list[Any]
    codes: bytes
    numbers: bytes
    others: list[tuple[Any, ...]]


class Form:
    """Where each leaf of a form goes."""

    def __init__(self, number: int, form: Hashable) -> None:
        kinds = list(_kinds_of(form))
        self.form = form
        self.number = number
        self.constants = [place for place, kind in enumerate(kinds) if kind == "constant"]
        self.numbers = [place for place, kind in enumerate(kinds) if kind == "number"]
        self.others = [place for place, kind in enumerate(kinds) if kind is None]
        order = [*self.constants, *self.numbers, *self.others]
        self.places = sorted(range(len(order)), key=order.__getitem__)
        codes, numbers = len(self.constants), len(self.numbers)
        self.struct = Struct(f"<I{codes}I{numbers}d")
        self.dtype = np.dtype([("form", "<u4"), ("codes", "<u4", (codes,)), ("numbers", "<f8", (numbers,))])
        self.build = _builder(form)


class Packer:
    """Packs values, and holds the tables that unpack them.

    >>> packer = Packer()
    >>> value = ({"a": 0.5, "b": 1.5}, True, {"no": 0.25, "yes": 0.75})
    >>> packed = packer.pack(value)
    >>> len(packed), packer.unpack(packed) == value
    (40, True)
    """

    def __init__(self) -> None:
        self._forms: dict[Hashable, Form] = {}
        self._by_number: list[Form] = []
        self._codes: dict[tuple[type, Any], int] = {}
        self._constants: list[Any] = []
        self._whole = self._add_form(None)

    @property
    def full(self) -> bool:
        """Whether there is no room for a new constant: values with one are kept whole."""
        return len(self._constants) >= CONSTANTS_MAX

    def pack(self, value: Any) -> Packed:
        """Return the value as bytes, in a tuple with what has none. The value is not to be changed any more."""
        leaves: list[Any] = []
        written = _flatten(value, leaves)
        form = self._forms.get(written) or (self._whole if len(self._forms) > FORMS_MAX else self._add_form(written))
        codes = [self._code(leaves[place]) for place in form.constants]
        if None in codes or form is self._whole:
            return _NUMBER.pack(self._whole.number), value
        packed = form.struct.pack(form.number, *codes, *[leaves[place] for place in form.numbers])
        return (packed, *[leaves[place] for place in form.others]) if form.others else packed

    def unpack(self, packed: Packed) -> Any:
        """Return the value that was packed, by this packer or by one that read its sheets."""
        data, others = (packed, ()) if isinstance(packed, bytes) else (packed[0], packed[1:])
        form = self._by_number[_NUMBER.unpack_from(data)[0]]
        _, *leaves = form.struct.unpack(data)
        for place in range(len(form.constants)):
            leaves[place] = self._constants[leaves[place]]
        leaves += others
        return form.build(map(leaves.__getitem__, form.places))

    def sheets(self, names: Sequence[int], values: Iterable[Packed]) -> Iterator[Sheet]:
        """Yield packed values in columns, each under its name; equal values under equal names give equal sheets."""
        numbers, left = np.array(names, "<i8"), iter(values)
        for start in range(0, len(names), SHEET_VALUES_MAX):
            yield from self._sheets(numbers[start : start + SHEET_VALUES_MAX], list(islice(left, SHEET_VALUES_MAX)))

    def _sheets(self, names: np.ndarray, values: list[Packed]) -> Iterator[Sheet]:
        """Yield a sheet for each form, in the order in which they come."""
        rows = [value if isinstance(value, bytes) else value[0] for value in values]
        forms = np.frombuffer(b"".join([row[: _NUMBER.size] for row in rows]), "<u4")
        for first in sorted(np.unique(forms, return_index=True)[1]):
            form, places = self._by_number[forms[first]], np.flatnonzero(forms == forms[first])
            data = b"".join([rows[place] for place in places.tolist()])
            others = [tuple(values[place][1:]) for place in places.tolist()] if form.others else []
            yield self._sheet(form, names[places].tobytes(), data, others)

    def _sheet(self, form: Form, names: bytes, data: bytes, others: list[Any]) -> Sheet:
        rows = np.frombuffer(data, form.dtype)
        used = np.flatnonzero(np.bincount(rows["codes"].ravel())).tolist()
        used.sort(key=lambda code: repr(self._constants[code]))
        rank = np.zeros(len(self._constants), "<u4")
        rank[used] = range(len(used))
        return Sheet(
            form.form,
            names,
            [self._constants[code] for code in used],
            rank[rows["codes"].T].tobytes(),
            rows["numbers"].T.tobytes(),
            others,
        )

    def read(self, sheets: Iterable[Sheet]) -> dict[int, Packed]:
        """Return the values of sheets by name, packed, in the order of their names."""
        values: dict[int, Packed] = {}
        forms = set()
        for sheet in sheets:
            values.update(self._rows(sheet))
            forms.add(sheet.form)
        return values if len(forms) == 1 else dict(sorted(values.items()))

    def _rows(self, sheet: Sheet) -> Iterator[tuple[int, Packed]]:
        form = self._forms.get(sheet.form) or self._add_form(sheet.form)
        names = np.frombuffer(sheet.names, "<i8").tolist()
        table = np.array([self._code(constant, bounded=False) for constant in sheet.constants], "<u4")
        rows = np.empty(len(names), form.dtype)
        rows["form"] = form.number
        rows["codes"] = table[np.frombuffer(sheet.codes, "<u4").reshape(len(form.constants), len(names)).T]
        rows["numbers"] = np.frombuffer(sheet.numbers, "<f8").reshape(len(form.numbers), len(names)).T
        data, size = rows.tobytes(), form.struct.size
        packed: Iterable[Packed] = (data[start : start + size] for start in range(0, len(data), size))
        if sheet.others:
            packed = ((one, *others) for one, others in zip(packed, sheet.others, strict=True))
        return zip(names, packed, strict=True)

    def _add_form(self, written: Hashable) -> Form:
        form = self._forms[written] = Form(len(self._forms), written)
        self._by_number.append(form)
        return form

    def _code(self, constant: Any, *, bounded: bool = True) -> int | None:
        """Return the number of a constant; None if there is no room for it."""
        key = (type(constant), constant)
        code = self._codes.get(key)
        if code is None:
            size = len(constant) if type(constant) is str else int(constant or 0).bit_length()
            if bounded and (size > CONSTANT_SIZE_MAX or len(self._constants) >= CONSTANTS_MAX):
                return None
            code = self._codes[key] = len(self._constants)
            self._constants.append(constant)
        return code


def _flatten(value: Any, leaves: list[Any]) -> Hashable:
    """Append the leaves of a value, and return its form: (names, their types, forms below), or the kind of the leaf."""
    names, types, below = None, None, value
    if type(value) is dict and _CONSTANTS.issuperset(types := tuple(map(type, value))):
        names, below = tuple(value), value.values()
    elif type(value) is not tuple:
        leaves.append(value)
        kind = _KINDS.get(type(value))
        return None if kind == "nested" else kind
    kinds: tuple[Any, ...] = tuple(map(_KINDS.get, map(type, below)))
    if "nested" in kinds:
        return names, types, tuple([_flatten(item, leaves) for item in below])
    leaves.extend(below)
    return names, types, kinds


def _kinds_of(form: Any) -> Iterator[str | None]:
    if type(form) is not tuple:
        yield form
        return
    for below in form[2]:
        yield from _kinds_of(below)


def _builder(form: Any) -> Callable[[Iterator[Any]], Any]:
    """Return what takes a form's leaves off an iterator, and builds the value."""
    if type(form) is not tuple:
        return next
    names, _, below = form
    if any(type(each) is tuple for each in below):
        builders = [_builder(each) for each in below]
        if names is None:
            return lambda leaves: tuple([build(leaves) for build in builders])
        return lambda leaves: dict(zip(names, [build(leaves) for build in builders], strict=True))
    if names is None:
        return lambda leaves: tuple(islice(leaves, len(below)))
    return lambda leaves: dict(zip(names, leaves, strict=False))
