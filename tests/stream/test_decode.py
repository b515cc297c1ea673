"""Decoding and the gate: garbage is held with a reason, never raised, never lost; the rest is as it was written."""

from __future__ import annotations

import json
import math
import random
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decode import Decoder
from stream.gate import Gate
from stream.log import Batch, Format, Span
from stream.schema import FeatureField, LabelField, Schema, TimeFields

SCHEMA = Schema(
    (
        FeatureField("a", "number", min=-100.0),
        FeatureField("b", "number", required=True),
        FeatureField("kind", "category", values=("x", "y")),
        FeatureField("on", "bool"),
        FeatureField("at", "time"),
        FeatureField("free text", "category"),
    ),
    LabelField("class", "category", "UP"),
)
BOUND = 1e15
GOOD = {"b": 1.5, "a": 2, "kind": "x", "on": True, "at": "2016-04-01T00:00:07", "free text": "é", "class": "UP"}


def decoder(schema: Schema = SCHEMA, form: Format | None = None) -> Decoder:
    return Decoder(schema, form or Format("json"), bound=BOUND)


def reason_of(event: bytes, schema: Schema = SCHEMA) -> str | None:
    decoded = decoder(schema).decode([event])
    return decoded.faults[0][1].reason if decoded.faults else None


def encode(**changed: object) -> bytes:
    return json.dumps({k: v for k, v in {**GOOD, **changed}.items() if v != "absent"}).encode()


@pytest.mark.parametrize("others", [0, 1, 7])
def test_a_time_too_far_ahead_is_held_whatever_comes_with_it(others: int) -> None:
    schema = Schema((), LabelField("y", "truth"), times=TimeFields("at", "known_at"))
    reader = Decoder(schema, Format("json"), bound=BOUND, ahead=timedelta(days=1))
    now = int(time.time())
    events = [{"at": now + i, "known_at": now + i + 5, "y": True} for i in range(others)]
    events.append({"at": now + 90_000, "known_at": now + 90_005, "y": True})
    decoded = reader.decode([json.dumps(event).encode() for event in events])
    assert [(place, fault.reason) for place, fault in decoded.faults] == [(others, "time_ahead")]
    assert len(decoded.xs) == others


def test_features_come_in_schema_order_and_numbers_as_floats() -> None:
    decoded = decoder().decode([encode()])
    (x,) = decoded.xs
    assert list(x) == ["a", "b", "kind", "on", "at", "free text"]
    assert type(x["a"]) is float
    assert x["at"].year == 2016
    assert decoded.ys == [True]


def test_missing_and_null_features_are_left_out_unless_required() -> None:
    decoded = decoder().decode([encode(a=None, kind="absent", on="", at=None)])
    assert decoded.xs == [{"b": 1.5, "free text": "é"}]
    assert reason_of(encode(b=None)) == "field_missing"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"\xff\xfe", "not_utf8"),
        (encode(extra="absent")[:-5], "not_json"),
        (b"not json", "not_json"),
        (b"[1, 2]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"17", "not_an_object"),
        (b'{"b": NaN, "class": "UP"}', "not_json"),
        (b'{"b": Infinity, "class": "UP"}', "not_json"),
        (b'{"b": 1e999, "class": "UP"}', "not_finite"),
        (b'{"b": ' + b"9" * 400 + b', "class": "UP"}', "not_finite"),
        (b'{"b": 1, "class": "UP", "free text": "\\ud800"}', "not_json"),
        (b'{"b": 1, "class": "UP", "other": "\xed\xa0\x80"}', "not_utf8"),
        (b'{"b": 1, "class": "UP", "other": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (encode(b=1e16), "beyond_bound"),
        (encode(b=-1e300), "beyond_bound"),
        (encode(a=-101), "out_of_range"),
        (encode(b="1.5"), "field_type"),
        (encode(b=True), "field_type"),
        (encode(b=[1]), "field_type"),
        (encode(on=1), "field_type"),
        (encode(at="yesterday"), "field_type"),
        (encode(kind="z"), "not_allowed"),
        (encode(kind=1.5), "field_type"),
        (encode(**{"class": None}), "target_missing"),
        (encode(**{"class": ""}), "target_missing"),
        (encode(**{"class": "absent"}), "target_missing"),
        (encode(**{"class": 1.5}), "target_type"),
        (encode(**{"class": {}}), "target_type"),
    ],
)
def test_faulty_events_have_a_reason(event: bytes, reason: str) -> None:
    assert reason_of(event) == reason
    # and do not harm their neighbours
    decoded = decoder().decode([encode(a=1), event, encode(a=2)])
    assert [x["a"] for x in decoded.xs] == [1.0, 2.0]
    assert decoded.places == [0, 2]
    assert [(place, fault.reason) for place, fault in decoded.faults] == [(1, reason)]


def test_unknown_fields_are_ignored_or_held() -> None:
    event = encode(extra=1)
    assert reason_of(event) is None
    strict = Schema(SCHEMA.features, SCHEMA.label, "hold", ("flight_id",))
    assert reason_of(event, strict) == "unknown_field"
    assert reason_of(encode(flight_id=7), strict) is None


@pytest.mark.parametrize(
    ("label", "value", "y"),
    [
        (LabelField("y", "truth"), True, True),
        (LabelField("y", "truth"), 0, False),
        (LabelField("y", "truth", 0), 0, True),
        (LabelField("y", "truth", False), True, False),
        (LabelField("y", "category", "UP"), "DOWN", False),
        (LabelField("y", "number", 2), 2, True),
        (LabelField("y", "number"), 2, 2.0),
        (LabelField("y", "integer"), 2, 2),
        (LabelField("y", "category"), "iris", "iris"),
    ],
)
def test_labels(label: LabelField, value: object, y: object) -> None:
    schema = Schema((FeatureField("b", "number"),), label)
    event = json.dumps({"b": 1, "y": value}).encode()
    fast = decoder(schema).decode([event])
    slow = decoder(schema).decode([event, b"garbage"])
    assert fast.ys == slow.ys == [y]
    assert type(fast.ys[0]) is type(y)


@pytest.mark.parametrize(
    ("label", "value"),
    [(LabelField("y", "truth"), 2), (LabelField("y", "truth"), "1"), (LabelField("y", "integer"), 1.5)],
)
def test_labels_of_another_type_are_held(label: LabelField, value: object) -> None:
    schema = Schema((FeatureField("b", "number"),), label)
    assert reason_of(json.dumps({"b": 1, "y": value}).encode(), schema) == "target_type"


CSV = Format("csv", ("a", "b", "kind", "on", "at", "free text", "class"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,x,True,2016-04-01 00:00:07,text,UP", None),
        ('1,2,x,0,2016-04-01T00:00:07Z,"a ""b"", c",DOWN', None),
        (",2,,,,,UP", None),
        ("1,2,x,True,2016-04-01 00:00:07,text", "csv_columns"),
        ("1,2,x,True,2016-04-01 00:00:07,text,UP,more", "csv_columns"),
        ('1,2,x,True,,"text', "csv_quote"),
        ("1,nan,x,True,,t,UP", "not_finite"),
        ("1,inf,x,True,,t,UP", "not_finite"),
        ("1,1e999,x,True,,t,UP", "not_finite"),
        ("1,1e16,x,True,,t,UP", "beyond_bound"),
        ("1,two,x,True,,t,UP", "field_type"),
        ("1,,x,True,,t,UP", "field_missing"),
        ("1,2,x,perhaps,,t,UP", "field_type"),
        ("1,2,x,True,,t,", "target_missing"),
        ("1,2,x,True,253402300800,t,UP", "field_type"),
        (",,,,,,", "target_missing"),
        ('1, 2 , x, True, , "a, b", UP ', None),
    ],
)
def test_csv_lines(line: str, reason: str | None) -> None:
    decoded = decoder(form=CSV).decode([line.encode()])
    assert [fault.reason for _, fault in decoded.faults] == ([reason] if reason else [])
    if reason is None:
        assert decoded.xs[0]["b"] == 2.0


def test_csv_and_json_give_the_same_examples() -> None:
    source = random.Random(7)
    for _ in range(200):
        value = source.choice([source.uniform(-50, 50), source.gauss(0, 1e-300), float(source.randint(-9, 9)), 5e-324])
        event = {"a": value, "b": value, "kind": "y", "on": True, "free text": "12", "class": "DOWN"}
        line = f"{value!r},{value!r},y,True,,12,DOWN".encode()
        one, other = decoder(form=CSV).decode([line]), decoder().decode([json.dumps(event).encode()])
        assert (one.xs, one.ys) == (other.xs, other.ys)


def test_an_integer_counts_as_a_category_of_its_digits() -> None:
    assert decoder().decode([encode(**{"free text": 12})]).xs[0]["free text"] == "12"


@given(
    st.lists(st.one_of(st.binary(max_size=80), st.sampled_from([encode(), encode(a=None), encode(b="x")])), max_size=30)
)
def test_every_event_is_accepted_or_held_exactly_once(events: list[bytes]) -> None:
    offsets = list(range(100, 100 + 3 * len(events), 3))
    span = Span(4, 100, 100 + 3 * len(events), offsets, events, [None] * len(events), [None] * len(events))
    verdicts = Gate("topic", decoder()).judge(Batch((span,)))
    ((_, accepted),) = verdicts.offsets
    assert sorted(accepted + [held.offset for held in verdicts.held]) == offsets
    assert len(verdicts.xs) == len(verdicts.ys) == len(accepted)
    for held in verdicts.held:
        assert held.raw == events[offsets.index(held.offset)]
        assert held.reason
    for x in verdicts.xs:
        assert all(math.isfinite(value) for value in x.values() if isinstance(value, float))


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.floats(-1e15, 1e15), min_size=1, max_size=6), st.booleans())
def test_any_field_name_and_float_comes_through_exactly(fields: dict[str, float], y: object) -> None:
    label = "y" * 9
    schema = Schema(tuple(FeatureField(name, "number") for name in fields), LabelField(label, "truth"))
    event = json.dumps({**fields, label: y}).encode()
    for events in ([event], [event, b"garbage"]):
        decoded = decoder(schema).decode(events)
        assert decoded.xs == [fields]
        assert decoded.ys == [y]


def test_recorded_holds_are_held_again() -> None:
    span = Span(0, 0, 3, [0, 1, 2], [encode(a=1), encode(a=2), encode(a=3)], [None] * 3, [None] * 3)
    verdicts = Gate("topic", decoder()).replay(
        Batch((span,)), {("topic", 0): {1: "quarantined"}, ("topic", 1): {0: "elsewhere"}}
    )
    assert [x["a"] for x in verdicts.xs] == [1.0, 3.0]
    assert [(held.offset, held.reason) for held in verdicts.held] == [(1, "quarantined")]
