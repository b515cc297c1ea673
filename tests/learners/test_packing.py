"""What is packed comes back bit for bit, with the same types and order of names, from memory and from bytes."""

from __future__ import annotations

import math
import pickle
import struct
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners import packing
from learners.packing import Packer
from learners.pending import YOUNG_MAX, Entry, LabelPolicy, Pending

ODD = [
    (({"a": 1.0, "b": -0.0}, True, 0.5, ()),),
    (({"b": 1.0, "a": 2.0}, 1, {True: 0.5}, ()), ({"a": 2.0, "b": 1.0}, True, {1: 0.5}, ())),
    (({}, None, None, ()), ({}, 0, {}, ((None, None),))),
    (({"a": np.float64(0.1), "b": [1.0], "c": datetime(2020, 1, 1, tzinfo=UTC)}, "y", ("y", {"y": 1.0}), ()),),
    (({"a": {"deep": (1.0, {"er": 2})}}, 10**400, "long" * 1000, ()),),
    (({"a": 1.0}, 0.5, {0.0: 1.0, (1,): 2.0}, ()), ({"a": 1.0}, 0.5, {-0.0: 1.0, (True,): 2.0}, ())),
    (({"a": 1.0}, "y", Counter({"y": 2}), ()),),
    ("no tuple", 1.5, None, [1]),
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.sampled_from(["a", "b", "ß", "\ud800"]),
    st.just(b"bytes"),
    st.builds(np.float64, st.floats()),
)
NAMES = st.one_of(st.sampled_from("abcd"), st.integers(0, 1), st.booleans(), st.none(), st.floats(0, 1))
VALUES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.dictionaries(NAMES, below, max_size=4), st.lists(below, max_size=4).map(tuple), st.lists(below, max_size=2)
    ),
    max_leaves=12,
)


def exact(value: Any) -> Any:
    """Write a value so that equal writing is the same value: types, bits, order."""
    if isinstance(value, dict):
        return type(value), [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, (tuple, list)):
        return type(value), [exact(item) for item in value]
    return type(value), struct.pack("d", value) if isinstance(value, float) else value


def through_bytes(packer: Packer, packed: list[Any]) -> list[Any]:
    sheets = pickle.loads(pickle.dumps(list(packer.sheets(list(range(len(packed))), packed))))
    other = Packer()
    other.pack(("another", "table", {"a": 1.0}))
    read = other.read(sheets)
    assert list(read) == list(range(len(packed)))
    return [other.unpack(each) for each in read.values()]


@pytest.mark.parametrize("values", ODD)
def test_odd_values_come_back_as_they_were(values: tuple[Any, ...]) -> None:
    packer = Packer()
    packed = [packer.pack(value) for value in values]
    assert exact([packer.unpack(each) for each in packed]) == exact(list(values))
    assert exact(through_bytes(packer, packed)) == exact(list(values))


@given(st.lists(VALUES, max_size=8))
def test_any_value_comes_back_as_it_was(values: list[Any]) -> None:
    packer = Packer()
    packed = [packer.pack(value) for value in values]
    assert exact([packer.unpack(each) for each in packed]) == exact(values)
    assert exact(through_bytes(packer, packed)) == exact(values)


def test_numbers_take_eight_bytes_whatever_they_are() -> None:
    packer = Packer()
    odd = [math.nan, struct.unpack("d", b"\1\0\0\0\0\0\xf8\xff")[0], math.inf, -0.0, 5e-324, 1e308]
    values = [({"a": number, "b": 1.0}, True, {False: number, True: 1.0 - number}, ()) for number in odd]
    packed = [packer.pack(value) for value in values]
    assert {len(each) for each in packed} == {4 + 4 + 4 * 8}
    assert exact(through_bytes(packer, packed)) == exact(values)


def test_more_forms_and_constants_than_fit_are_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "FORMS_MAX", 5)
    monkeypatch.setattr(packing, "CONSTANTS_MAX", 5)
    monkeypatch.setattr(packing, "SHEET_VALUES_MAX", 3)
    packer = Packer()
    values = [({f"f{i % 10}": float(i)}, f"label {i % 8}", None, ()) for i in range(200)]
    packed = [packer.pack(value) for value in values]
    assert {type(each) for each in packed} == {bytes, tuple}
    assert exact([packer.unpack(each) for each in packed]) == exact(values)
    assert exact(through_bytes(packer, packed)) == exact(values)


def entry(number: int) -> Entry:
    x = {"a": number / 7, "b": -number / 3}
    p = 1 / (number + 2)
    labels = [None, True, False]
    return Entry(x, labels[number % 3], (True, {False: 1 - p, True: p}, labels[number % 2], {True: p}, None, None))


def ask(pending: Pending, count: int, size: int) -> None:
    for start in range(0, count, size):
        for number in range(start, min(count, start + size)):
            list(pending.reveal(pending.turn(number)))
            pending.add(entry(number), number, number + (5 if number % 11 else 10**6))
        pending.pack()


@pytest.mark.parametrize("count", [0, 10, 3 * YOUNG_MAX])
def test_pending_labels_are_saved_as_they_are(count: int) -> None:
    pending = Pending(LabelPolicy(timeout=10**9))
    ask(pending, count, 100)
    state = pickle.dumps(list(pending.pieces()))
    restored = Pending.of(iter(pickle.loads(state)))
    assert restored is not None
    assert pickle.dumps(list(restored.pieces())) == state
    assert len(restored) == len(pending)
    assert list(restored.entries) == list(pending.entries)
    assert restored.entry(-1) is None
    for number in pending.entries:
        found, expected = restored.entry(number), pending.entry(number)
        assert found == expected
        assert exact(packed_parts(found)) == exact(packed_parts(expected))
    again = [exact(packed_parts(each)) for each in restored.reveal_all()]
    assert again == [exact(packed_parts(each)) for each in pending.reveal_all()]
    assert (restored.asked, restored.expired, restored.clock) == (pending.asked, pending.expired, pending.clock)
    assert list(restored.entries) == list(pending.entries)


def packed_parts(entry: Entry | None) -> tuple[Any, ...]:
    assert entry is not None
    return entry.x, entry.y, entry.answers, entry.asked_at


def test_how_events_come_in_batches_makes_no_difference_to_the_bytes() -> None:
    states = []
    for size in (1, 700, 10**6):
        pending = Pending(LabelPolicy())
        ask(pending, 4 * YOUNG_MAX, size)
        states.append(pickle.dumps(list(pending.pieces())))
    assert states[1:] == states[:1] * 2


def test_times_beyond_eight_bytes_are_kept() -> None:
    pending = Pending(LabelPolicy(timeout=10**30))
    pending.add(Entry({}, None), 1, None)
    restored = Pending.of(iter(pickle.loads(pickle.dumps(list(pending.pieces())))))
    assert restored is not None
    assert list(restored.due) == [(10**30 + 1, 0)]


def test_constants_of_events_that_are_gone_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "CONSTANTS_MAX", 30_000)
    pending = Pending(LabelPolicy(pending_max=4 * YOUNG_MAX))
    for number in range(30 * YOUNG_MAX):
        pending.add(Entry({"user": f"u{number}", "a": number / 7}, None, ("y", None)), number, None)
        pending.gone.clear()
        if number % 500 == 0:
            pending.pack()
    packed = [kept for kept in pending.entries.values() if not isinstance(kept, Entry)]
    assert len(packed) > YOUNG_MAX
    assert sum(isinstance(kept, bytes) for kept in packed) > len(packed) / 2, "most are kept whole"
    for number in pending.entries:
        entry = pending.entry(number)
        assert entry is not None
        assert entry.x == {"user": f"u{number}", "a": number / 7}
