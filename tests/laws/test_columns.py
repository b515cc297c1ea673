"""A batch in columns is the batch in rows: same examples, same labels, same held events, whatever the bytes.

Streams of random schemas, with garbage in them, go through two gates. What rows are, the tests of the decoder say.
"""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stream.decode
from learners.table import Column, Table
from stream.config import Config
from stream.decode import Decoder
from stream.feed import Feed
from stream.gate import Gate, Verdicts, open_gate
from stream.log import Batch, Format, Span
from stream.schema import FeatureField, LabelField, Schema, TimeFields
from stream.whole import Whole
from tests.simulation.nasties import LINES, VALUES, as_csv, as_json

pytestmark = pytest.mark.usefixtures("compiled_code")  # simple events are read by compiled code

WAYS = ("one by one", "rows", "columns")
"""How events are decoded: each by itself, as many as can be at once, and at once into columns."""

NAMES = ["a", "b b", "c'c", "d", "ä", 'say "e"', "at"]
RULES = {
    "low": "a < -1 and not (d > 3)",
    "big": "a > 9007199254740992 or b_b >= 1e300",
    "none": 'missing(a) and missing(field("b b"))',
    "text": "field(\"c'c\") == 'x' or d == '2'",
    "not": 'a != 2 and field("b b") != 7',
    "both": 'a == d or a < field("b b")',
    "true": "d or ä == false",
    "in": "a in (1, 2, 3) or not (0 <= d < 2)",
}
TEXTS = ["x", "y", "2", "a b", " x", "é", "x" * 40, "null", "true"]
NUMBERS = [0, 1, 2, 7, -3, 2.5, -0.0, 1e-300, 9007199254740993, 100.5, 1e15, 1e16, 12345.678901234567]


@dataclass(frozen=True)
class Setting:
    """What the two gates are made for, and how the stream is made that they judge."""

    schema: Schema
    form: Format
    config: Config
    at_once: int
    garbage: float
    missing: float
    seed: int


@st.composite
def settings_of(draw: Any) -> Setting:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES)))
    features = tuple(draw(field_of(name)) for name in names)
    label = draw(
        st.sampled_from(
            [
                LabelField("y", "truth"),
                LabelField("y", "truth", positive=False),
                LabelField("y", "number"),
                LabelField("y", "number", positive=2),
                LabelField("y", "category", positive="x"),
                LabelField("y", "category"),
                LabelField("y", "integer"),
            ]
        )
    )
    times = draw(st.sampled_from([None, None, TimeFields("at", "known"), TimeFields(None, "known")]))
    schema = Schema(features, label, draw(st.sampled_from(["ignore", "ignore", "hold"])), ("id",), times)
    columns = draw(st.permutations([*dict.fromkeys([*NAMES, "y", "known", "id", "other"])]))
    gate: dict[str, Any] = {
        "bound": draw(st.sampled_from([1e15, 50])),
        "rules": {name: RULES[name] for name in draw(st.sets(st.sampled_from(sorted(RULES)), max_size=3))},
        "duplicates": draw(st.sampled_from([None, None, 3, 50])),
        "breaker": draw(st.sampled_from([False, {"share": 0.6, "last": 20, "consecutive": 12}])),
        "age_max": draw(st.sampled_from([None, None, "1d"])),
        "raw": draw(st.sampled_from(["keep", "hash"])),
    }
    config = Config.model_validate(
        {
            "model": {"name": "m", "task": "regression", "target": "y", "learner": "linear_model.LinearRegression()"},
            "source": {"log": "kafka://x/t", "id": "id"} | draw(st.sampled_from([{}, {"moment": "at"}])),
            "schema": {"a": {"type": "number", "owner": "ops"}},
            "gate": gate,
        }
    )
    return Setting(
        schema,
        draw(st.sampled_from([Format("json"), Format("csv", tuple(columns))])),
        config,
        draw(st.sampled_from([1, 3, 10, 512])),
        draw(st.sampled_from([0.0, 0.02, 0.3])),
        draw(st.sampled_from([0.0, 0.1])),
        draw(st.integers(0, 2**32)),
    )


@st.composite
def field_of(draw: Any, name: str) -> FeatureField:
    kind = "time" if name == "at" else draw(st.sampled_from(["number", "number", "number", "bool", "category", "time"]))
    low, high = draw(st.sampled_from([(None, None), (-1.0, None), (None, 100.0)])) if kind == "number" else (None, None)
    values = draw(st.sampled_from([None, ("x", "y", "2"), ("x", "")])) if kind == "category" else None
    return FeatureField(name, kind, draw(st.booleans()), low, high, values)


def value_of(kind: str, source: random.Random) -> Any:
    if kind == "number":
        return source.choice(NUMBERS) if source.random() < 0.3 else source.gauss(0, 3)
    if kind in ("bool", "truth"):
        return source.random() < 0.5
    if kind == "category":
        return source.choice(TEXTS) if source.random() < 0.9 else source.randrange(3)
    if kind == "integer":
        return source.randrange(5)
    days = source.choice([0.1, 0.2, 3, -0.5])
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def events_of(setting: Setting, source: random.Random, count: int) -> Iterator[bytes]:
    """Give out events: good ones, some that lack a field, some with a nasty value, and some that are garbage."""
    write = as_csv if setting.form.kind == "csv" else as_json
    kinds = {field.name: field.type for field in setting.schema.features}
    for _ in range(count):
        values = {name: value_of(kind, source) for name, kind in kinds.items()}
        values |= {"y": value_of(setting.schema.label.type, source), "id": source.randrange(60)}
        values.setdefault("at", value_of("time", source))
        values["known"] = (datetime.now(UTC) + timedelta(days=source.choice([1, 2]))).isoformat()
        if source.random() < 0.05:
            values["other"] = source.choice([1, "x", None])
        fields = {json.dumps(name)[1:-1]: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
        for name in list(fields):
            if source.random() < setting.missing:
                fields[name] = source.choice(["null", '""'])
        if source.random() < setting.garbage:
            fields[source.choice(list(fields))] = source.choice(VALUES)
        if setting.form.kind == "csv":
            plain = {json.loads(f'"{name}"'): text for name, text in fields.items()}
            fields = {name: plain.get(name, "") for name in setting.form.columns}
            fields = {name: "" if text == "null" else text for name, text in fields.items()}
        record = write(fields).replace(b"\n", b" ")
        if source.random() < setting.garbage / 5:
            record = source.choice(
                (record + b",", record + b",1", b"," + record, record.rpartition(b",")[0], record + record)
            )
        yield source.choice(LINES).replace(b"\n", b" ") if source.random() < setting.garbage / 3 else record


def batches_of(setting: Setting) -> list[Batch]:
    source = random.Random(setting.seed)
    partitions = source.randrange(1, 4)
    reached = [source.randrange(100) for _ in range(partitions)]
    batches = []
    for _ in range(4):
        spans = []
        for partition in sorted(source.sample(range(partitions), source.randrange(partitions + 1))):
            values = list(events_of(setting, source, source.randrange(25)))
            offsets = []
            start = reached[partition]
            for _ in values:
                offsets.append(reached[partition])
                reached[partition] += 1 if source.random() < 0.9 else 3
            stamps = [
                source.choice([None, 1_700_000_000_000, int(datetime.now(UTC).timestamp() * 1000)]) for _ in values
            ]
            spans.append(Span(partition, start, reached[partition], offsets, values, stamps, [None] * len(values)))
        batches.append(Batch(tuple(spans)))
    return batches


def gate_of(setting: Setting, *, live: bool, columns: bool) -> Gate:
    log = SimpleNamespace(topic="t", format=setting.form)
    return open_gate(Feed(log), setting.config, setting.schema, live=live, breaker=True, columns=columns)  # type: ignore[arg-type]


def told(verdicts: Verdicts) -> dict[str, Any]:
    """Return all that was said of a batch, so that equal is the same: order, types, signs of zeros."""
    return {
        "xs": repr([list(x.items()) for x in verdicts.xs]),
        "ys": repr(list(verdicts.ys)),
        "offsets": verdicts.offsets,
        "held": [replace(held, held_at=None) for held in verdicts.held],  # type: ignore[arg-type]
        "times": (verdicts.moments, verdicts.dues),
        "batch": verdicts.batch,
        "places": verdicts.places(),
    }


def check_form(setting: Setting, verdicts: Verdicts) -> None:
    """Check that a batch is in columns as it should be, with nothing of numpy where Python's values are promised."""
    xs, ys, label = verdicts.xs, verdicts.ys, setting.schema.label
    assert isinstance(xs, Table)
    assert xs.numbers.dtype == np.float64
    assert xs.numbers.flags.c_contiguous
    assert xs.numbers.flags.writeable
    assert xs.layout.features == setting.schema.names
    assert len(xs.numbers) == len(xs) == len(ys)
    assert repr(pickle.loads(pickle.dumps((xs, ys)))) == repr((list(xs), list(ys)))
    binary = label.type == "truth" or label.positive is not None
    if (binary or label.type == "number") and setting.schema.times is None:
        assert isinstance(ys, Column)
        assert ys.array.dtype == (bool if binary else np.float64)
    else:
        assert isinstance(ys, list)


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(settings_of())
def test_columns_are_rows(setting: Setting) -> None:
    batches = batches_of(setting)
    live = {way: judged(setting, batches, way) for way in WAYS}
    assert live["columns"] == live["rows"] == live["one by one"]
    *found, _ = live["columns"]
    reasons: dict[tuple[str, int], dict[int, str]] = {}
    for each in found:
        for held in each["held"]:
            reasons.setdefault((held.topic, held.partition), {})[held.offset] = held.reason
    again = {way: judged(setting, [each["batch"] for each in found], way, reasons) for way in WAYS}
    assert again["columns"] == again["rows"] == again["one by one"]
    assert [each["xs"] for each in again["columns"][:-1]] == [each["xs"] for each in found]


def judged(
    setting: Setting,
    batches: list[Batch],
    way: str,
    reasons: Mapping[tuple[str, int], Mapping[int, str]] | None = None,
) -> list[dict[str, Any]]:
    """Return what a gate says of batches, until its breaker trips, and what it remembers; `reasons`: held before."""
    found, beside = [], dict[str, Any]()
    gate = gate_of(setting, live=reasons is None, columns=way == "columns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream.decode, "EVENTS_AT_ONCE", setting.at_once)
        if way == "one by one":
            patch.setattr(Whole, "many", lambda _, __: None)
            patch.setattr(Whole, "each", lambda _, events: [None] * len(events))
        for batch in batches:
            if gate.memory.tripped:
                break
            verdicts = gate.judge(batch) if reasons is None else gate.replay(batch, reasons)
            found.append(told(verdicts))
            if way == "columns":
                check_form(setting, verdicts)
    gate.memory.write(beside)
    return [*found, beside]


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("garbage", [False, True])
def test_the_arrays_hold_what_a_plain_reading_finds(kind: str, garbage: bool) -> None:  # noqa: FBT001
    """Whole chunks, chunks with faults and their borders, against `json.loads`, event by event."""
    source = random.Random(5)
    events = [
        {"a": source.gauss(0, 1), "t": source.choice("xy"), "b": source.randrange(9), "y": source.random() < 0.4}
        for _ in range(1300)
    ]
    form = Format("json") if kind == "json" else Format("csv", ("t", "y", "b", "a"))
    values = [json.dumps(event).encode() for event in events]
    if kind == "csv":
        values = [",".join(str(event[name]) for name in form.columns).encode() for event in events]
    bad = {700, 703, 1023, 1024, 1299} if garbage else set()
    for place in bad:
        values[place] = b'"' + values[place]
    schema = Schema(
        (FeatureField("a", "number"), FeatureField("t", "category"), FeatureField("b", "number")),
        LabelField("y", "truth"),
    )
    decoded = Decoder(schema, form, bound=1e15, columns=True).decode(values)
    assert isinstance(decoded.xs, Table)
    assert isinstance(decoded.ys, Column)
    good = [place for place in range(len(events)) if place not in bad]
    assert decoded.xs.numbers.tolist() == [[events[place]["a"], float(events[place]["b"])] for place in good]
    assert decoded.xs.others == {"t": [events[place]["t"] for place in good]}
    assert decoded.ys.array.tolist() == [events[place]["y"] for place in good]
    assert decoded.places == (good if garbage else None)
    assert [place for place, _ in decoded.faults] == sorted(bad)


LINES_OF_CSV = {
    b"1,x,2": {"a": 1.0, "c": "x"},
    b"1,x,2,": "csv_columns",
    b"1,x,2,3": "csv_columns",
    b"1,x": "csv_columns",
    b"1,,2": {"a": 1.0},
    b",x,2": {"c": "x"},
    b" 1 , x,2 ": {"a": 1.0, "c": "x"},
    b'"1",x,2': {"a": 1.0, "c": "x"},
    b"": "empty",
    b" ": "empty",
    b"1,x,": "target_missing",
    b"1,x,nan": "not_finite",
    b"1_0,x,2": "field_type",
    b"+1,x,2": "field_type",
    b"1e3,z,2": "not_allowed",
    b"1e3,x,2": {"a": 1000.0, "c": "x"},
}


@pytest.mark.parametrize("values", [("x",), ("x", "")])
@pytest.mark.parametrize("columns", [False, True])
def test_lines_that_are_nearly_whole(columns: bool, values: tuple[str, ...]) -> None:  # noqa: FBT001
    """Each alone, and all together, several times over."""
    features = (FeatureField("a", "number"), FeatureField("c", "category", values=values))
    schema = Schema(features, LabelField("y", "number"))
    decoder = Decoder(schema, Format("csv", ("a", "c", "y")), bound=1e15, columns=columns)
    expected = list(LINES_OF_CSV.values())
    alone = [decoder.decode([line]) for line in LINES_OF_CSV]
    assert [found.faults[0][1].reason if found.faults else found.xs[0] for found in alone] == expected
    together = decoder.decode(list(LINES_OF_CSV) * 50)
    assert list(together.xs) == [found for found in expected if isinstance(found, dict)] * 50
    assert [fault.reason for _, fault in together.faults] == [
        found for found in expected if isinstance(found, str)
    ] * 50
    assert set(together.ys) == {2.0}
