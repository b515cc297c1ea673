"""Simple JSON that is read by compiled code: numbers are Python's to the last bit, events are what msgspec reads."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.columns import Columns
from stream.decode import Decoder
from stream.fields import LabelReader
from stream.log import Format
from stream.packed import Packed
from stream.quick_json import QuickJson, quick_json
from stream.schema import FeatureField, LabelField, Schema, TimeFields
from stream.whole import Whole

pytestmark = pytest.mark.usefixtures("compiled_code")

JSON = Format("json")
BOUND = 1.7e308
HARD = [
    *["9007199254740993", "9007199254740992.5", "9007199254740994.5", "18014398509481985", "123456789012345678"],
    *["8.41e23", "9.5e-280", "6.6e22", "1e23", "89255e-22", "104110013277974872e-34", "3e-21", "0.3", "1.0e0", "1E+2"],
    *["0.000000000000000000000000123", "7.2057594037927933e16", "4503599627370497.5", "5708990770823839e207"],
    *["1.7976931348623157e279", "625000000000000000e-17", "0.1", "0.10", "100", "-0.5", "1e-5", "0e7", "0", "0.0"],
]
"""Numbers near the middle between two floats, and at the ends of what is read by one product."""

WRONG = [
    "",
    "-",
    "01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "+1",
    "-0",
    "-0.0",
    "0x1",
    "1_0",
    "NaN",
    "1e400",
    "1e-400",
    "--1",
    "1 2",
]


def made(features: Sequence[FeatureField], label: LabelField, bound: float = BOUND) -> QuickJson:
    found = quick_json(Schema(tuple(features), label), reader(label, bound), bound=bound, bytes_max=500)
    assert found is not None
    return found


def reader(label: LabelField, bound: float = BOUND) -> LabelReader:
    return LabelReader(label, bound, text=False)


NUMBER = made([FeatureField("a", "number")], LabelField("y", "truth"))


def read(text: str) -> float | None:
    """Return what a number is read as, None where it is not simple."""
    found = NUMBER._read([f'{{"a": {text}, "y": 1}}'.encode()])
    return None if found is None else found[0].numbers[0, 0].item()


def bits(number: float) -> bytes:
    return struct.pack("d", number)


@pytest.mark.parametrize("text", HARD)
def test_hard_numbers(text: str) -> None:
    found = read(text)
    assert found is not None
    assert bits(found) == bits(float(text))


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_simple_number_is_left(text: str) -> None:
    assert read(text) is None


def test_numbers_are_pythons_to_the_last_bit() -> None:
    """Of every size, as Python writes them and otherwise; only the very small and great are left to others."""
    source = random.Random(1)
    made: list[Callable[[], str]] = [
        lambda: repr(source.gauss(0, 1)),
        lambda: f"{source.randint(-(10**6), 10**6) / 1e6:.6f}",
        lambda: repr(source.random() * 10 ** source.randint(-30, 30)),
        lambda: f"{source.randint(1, 10**18 - 1)}e{source.randint(-290, 260)}",
        lambda: f"{source.gauss(0, 1) * 10 ** source.randint(-200, 200):.17g}",
        lambda: repr(struct.unpack("d", struct.pack("Q", source.getrandbits(64)))[0]),
    ]
    texts = [text for _ in range(30_000) for each in made if "n" not in (text := each())]
    events = [f'{{"a":{text},"y":1}}'.encode() for text in texts]
    place, left = 0, 0
    while place < len(texts):
        stop = min(place + 500, len(texts))
        found = NUMBER._read(events[place:stop])
        while found is None and stop > place:
            stop = place + (stop - place) // 2
            found = NUMBER._read(events[place:stop])
        assert found is not None
        expected = np.array([float(text) for text in texts[place:stop]])
        assert found[0].numbers[:, 0].tobytes() == expected.tobytes(), texts[place:stop]
        if stop == place:
            assert not 1e-280 < abs(float(texts[place])) < 1e280 or float(texts[place]) == 0, texts[place]
            left += 1
        place = max(stop, place + 1)
    assert left < len(texts) / 50


LABELS = [
    LabelField("y", "truth"),
    LabelField("y", "number"),
    LabelField("y", "category", positive="UP"),
]
NAMES = st.sampled_from(["a", "b", "ab", "a b", "c'", "~", "x" * 30, "y2", "cl"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "truth": st.sampled_from([True, False, 0, 1]),
    "number": st.floats(-1e9, 1e9) | st.integers(-(2**60), 2**60) | st.sampled_from([0, -0.0, 1.5, 1e-310]),
    "category": st.sampled_from(["UP", "DOWN", "U", "UPP", "up", " "]),
}
OTHERS = st.sampled_from([None, True, 1, -2.5, "a", "", [], {"a": 1}, "é", 'q"', "\n", -0.0])


@st.composite
def streams(draw: st.DrawFn) -> tuple[Schema, list[bytes]]:
    """A schema, and events of it: some with fields that it has not, some wrong, some with a byte changed."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    limits = st.sampled_from([(None, None), (-10.0, 10.0), (0.0, None)])
    features = tuple(FeatureField(name, "number", min=low, max=high) for name in names for low, high in [draw(limits)])
    label = draw(st.sampled_from(LABELS))
    tidy = draw(st.booleans())
    events = []
    for _ in range(draw(st.integers(1, 6))):
        fields = [(name, draw(VALUES["number"])) for name in names] + [("y", draw(VALUES[label.type]))]
        if draw(st.integers(0, 3)) == 0:
            fields.append((draw(st.sampled_from(["other", "z", names[0], "ä"])), draw(OTHERS)))
        fields = draw(st.permutations(fields))
        separator = draw(st.sampled_from([", ", ",", " ,\t\r\n "]))
        text = separator.join(f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value)}" for name, value in fields)
        event = bytearray(f" {{{text}}} ".encode())
        if not tidy and draw(st.integers(0, 2)) == 0:
            event[draw(st.integers(0, len(event) - 1))] = draw(st.integers(0, 255))
        events.append(bytes(event))
    return Schema(features, label), events


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(streams())
def test_what_is_read_is_what_msgspec_reads(stream: tuple[Schema, list[bytes]]) -> None:
    schema, events = stream
    bound = 1e12
    quick, whole = (
        made(schema.features, schema.label, bound),
        Whole(schema, JSON, bound=bound, bytes_max=500, labeled=True),
    )
    columns = Columns(schema.features, reader(schema.label, bound))
    for batch in (events, *([event] for event in events)):
        found, right = quick._read(batch), whole.many(batch)
        if found is None:
            continue
        assert right is not None, batch
        table, labels = columns.whole(right)
        assert found[0].numbers.tobytes() == table.numbers.tobytes()
        assert found[1] == labels
        assert [type(label) for label in found[1]] == [type(label) for label in labels]


def test_simple_events_are_read() -> None:
    features = [FeatureField("a", "number"), FeatureField("b", "number", min=0.0, max=2.0)]
    quick = made(features, LABELS[2])
    events = [b'{"a": 1.5, "b": 2, "y": "UP"}', b' {"y":"DOWN","other":null,"b":0.25,"a":-3e2}\n']
    found = quick.read(events)
    assert found is not None
    assert list(found[0]) == [{"a": 1.5, "b": 2.0}, {"a": -300.0, "b": 0.25}]
    assert list(found[1]) == [True, False]
    assert [type(value) for x in found[0] for value in x.values()] == [float] * 4
    assert quick.read([]) is not None


@pytest.mark.parametrize(
    "event",
    [
        b'{"a": 1, "b": 2.5, "y": "UP"}',
        b'{"a": 1, "b": 2, "y": ""}',
        b'{"a": 1, "b": 2, "y": 1}',
        b'{"a": 1, "b": 2}',
        b'{"a": 1, "b": 2, "a": 1, "y": "UP"}',
        b'{"a": 1, "a": 1, "y": "UP"}',
        b'{"a": "1", "b": 2, "y": "UP"}',
        b'{"a": 1, "b": 2, "y": "UP"}}',
        b'{"a": 1, "b": 2, "y": "UP"} \x00',
        b'{"a": 1, "b": 2, "y": "U\\u0050"}',
        b'{"a": 1, "b": 2, "y": "UP", "z": [1]}',
        '{"a": 1, "b": 2, "y": "é"}'.encode(),
        b'{"a": 1, "b": 2, "y": "UP",}',
        b'{"a": 1 "b": 2, "y": "UP"}',
        b'{"a": 1, "b": 2, "y": "UP"',
        b'{"a": 1, "b": 2, "y": "UP',
        b"{}",
        b"",
        b'{"a": 1, "b": 2, "y": "UP", "z": "' + b"x" * 500 + b'"}',
    ],
)
def test_what_is_not_simple_is_left(event: bytes) -> None:
    features = [FeatureField("a", "number"), FeatureField("b", "number", min=0.0, max=2.0)]
    quick, right = made(features, LABELS[2]), b'{"a": 1, "b": 2, "y": "UP"}'
    assert quick.read([right, event]) is None
    assert quick.read([event, right]) is None
    assert quick.read([right, right]) is not None


def test_where_nothing_is_simple_it_is_not_tried_again() -> None:
    quick, right = made([FeatureField("a", "number")], LABELS[0]), [b'{"a": 1, "y": true}']
    for _ in range(20):
        assert quick.read([b"{}"]) is None
    assert quick.read(right) is not None
    for _ in range(21):
        assert quick.read([b"{}"]) is None
    assert quick.read(right) is None


@pytest.mark.parametrize(
    ("schema", "label"),
    [
        (Schema((FeatureField("a", "category"),), LABELS[0]), LABELS[0]),
        (Schema((FeatureField('a"', "number"),), LABELS[0]), LABELS[0]),
        (Schema((FeatureField("ä", "number"),), LABELS[0]), LABELS[0]),
        (Schema((FeatureField("a", "number"),), LABELS[0], unknown="hold"), LABELS[0]),
        (Schema((FeatureField("a", "number"),), LABELS[0], times=TimeFields("a", None)), LABELS[0]),
        (Schema((FeatureField("a", "number"),), LabelField("y", "integer")), LabelField("y", "integer")),
        (Schema((FeatureField("a", "number"),), LabelField("y", "category")), LabelField("y", "category")),
        (
            Schema((FeatureField("a", "number"),), LabelField("y", "integer", positive=1)),
            LabelField("y", "integer", positive=1),
        ),
    ],
)
def test_of_other_schemas_nothing_is_simple(schema: Schema, label: LabelField) -> None:
    assert quick_json(schema, reader(label), bound=BOUND, bytes_max=500) is None


@pytest.mark.parametrize("packed", [True, False])
def test_a_batch_is_read_the_same_whatever_is_in_it_and_in_the_one_before(*, packed: bool) -> None:
    """Where all is simple it is one call, else some hundred events at a time: no event is lost or read twice."""
    schema = Schema((FeatureField("a", "number"), FeatureField("b", "number")), LABELS[2])
    quick, plain = (Decoder(schema, Format("json"), bound=BOUND, columns=columns) for columns in (True, False))
    source = random.Random(5)
    odd = [b"{}", b"{", b'{"a": 1, "y": "UP"}', b'{"a": 1, "b": 2, "y": "U\\u0050"}', b'{"a": "x", "b": 2, "y": "UP"}']
    for shares in (0.0, 0.0, 0.001, 0.0, 0.5, 0.0, 1.0, 0.0):
        events = [
            source.choice(odd)
            if source.random() < shares
            else f'{{"a": {source.gauss(0, 1)}, "b": {number}, "y": "UP"}}'.encode()
            for number in range(3_000)
        ]
        found, expected = quick.decode(Packed.of(events) if packed else events), plain.decode(events)
        assert (list(found.xs), list(found.ys)) == (expected.xs, expected.ys)
        assert (found.places, found.faults) == (expected.places, expected.faults)
        assert bool(found.faults) == (shares > 0)
    assert quick._smooth
