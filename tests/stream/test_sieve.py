"""Rules, age and ids: each against what a plain reading of the event says, whatever it is written like."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.config import read_config
from stream.decode import Decoder
from stream.errors import ConfigError
from stream.gate import Gate
from stream.log import Batch, Format, Span
from stream.schema import FeatureField, LabelField, Schema
from stream.sieve import Rule, Sieve, read_rules
from stream.where import fields_of, read_where
from tests.world import World

CONDITIONS = [
    "a < -100",
    "a >= 3 and b != 3",
    "not (a == 2)",
    "not a == 2 and b < 9",
    "a != 2",
    "kind == 'x'",
    "kind != 'x'",
    "kind not in ('x', 'y')",
    "kind in ('x', 'y') or missing(b)",
    "kind > 'w'",
    "missing(kind)",
    "not missing(kind) and not missing(a)",
    "on",
    "not on",
    "on == true",
    "on != false",
    "a == b",
    "a < b and not (kind == 'x')",
    "-5 < a <= 2",
    "b == 2 or b == '2'",
    "field(\"free text\") == 'x' or a > 90",
]
VALUES = [
    None,
    "",
    0,
    1,
    2,
    3,
    -101,
    2.5,
    9007199254740993,
    1e300,
    True,
    False,
    "x",
    "y",
    "2",
    "true",
    "false",
    [1],
    {},
]
FIELDS = ["a", "b", "kind", "on", "free text"]
FORM = Format("json")
events_of = st.lists(
    st.dictionaries(st.sampled_from([*FIELDS, "other"]), st.sampled_from(VALUES)), min_size=1, max_size=12
)


def span_of(events: list[bytes], stamps: list[int | None] | None = None) -> Span:
    count = len(events)
    return Span(0, 0, count, list(range(count)), events, stamps or [None] * count, [None] * count)


@settings(deadline=None, max_examples=400)
@given(events_of, st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=10))
def test_all_rules_at_once_are_as_each_alone(events: list[dict[str, Any]], conditions: list[str]) -> None:
    """The one expression over what fits its types holds for the events that a rule by itself holds for."""
    values = [json.dumps(event).encode() for event in events]
    rules = [Rule(f"r{number}", read_where(text)) for number, text in enumerate(conditions)]
    gate = Gate(
        "t", Decoder(Schema((), LabelField("y", "truth")), FORM, bound=1e15, labeled=False), sieve=Sieve(rules, FORM)
    )
    found = {each.offset: each.reason for each in gate.judge(Batch((span_of(values),))).held}
    expected = {}
    for offset, value in enumerate(values):
        for rule in rules:
            if rule.where.holds(fields_of(rule.where.names, FORM)(value)):
                expected[offset] = f"rule:{rule.name}"
                break
    assert found == expected


def naive(event: dict[str, Any]) -> str | None:
    """Return which of the three rules below holds an event, as a person would say it."""
    if event.get("delay") is not None and event["delay"] < -100 and not event.get("cancelled"):
        return "rule:impossible"
    if event.get("carrier") in ("XX", "ZZ"):
        return "rule:unknown-carrier"
    if event.get("delay") is None and event.get("cancelled") is False:
        return "rule:no_delay"
    return None


@pytest.mark.parametrize("form", ["json", "csv"])
def test_rules_of_the_configuration(tmp_path: Path, form: str) -> None:
    events = []
    for n in range(400):
        delay = None if n % 11 == 0 else [-200, -101, -100, 0, 15.5, 900][n % 6]
        events.append(
            {
                "b": n % 4,
                "delay": delay,
                "carrier": ["UA", "AA", "XX", "DL", "ZZ"][n % 5],
                "cancelled": n % 7 == 0,
                "y": n % 2 == 0,
            }
        )
    world = World(tmp_path)
    if form == "json":
        world.write_events("flights.jsonl", events)
    else:
        columns = ["b", "delay", "carrier", "cancelled", "y"]
        cells = [["" if event[name] is None else str(event[name]).lower() for name in columns] for event in events]
        lines = [",".join([*line[:2], line[2].upper(), *line[3:]]) for line in cells]
        (tmp_path / "flights.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")
    world.configure(
        log=f"file:flights.{'jsonl' if form == 'json' else 'csv'}",
        learner="compose.Select('b') | preprocessing.StandardScaler() | linear_model.LogisticRegression()",
        more='[schema]\nb = { type = "number" }\ndelay = { type = "number", owner = "ops" }\n'
        'carrier = { type = "category", owner = "sales" }\ncancelled = { type = "bool" }\n'
        '[gate.rules]\nimpossible = "delay < -100 and not cancelled"\n'
        "unknown-carrier = \"carrier in ('XX', 'ZZ')\"\nno_delay = \"missing(delay) and cancelled == false\"",
    )
    told = world.train()
    expected = {offset: why for offset, event in enumerate(events) if (why := naive(event))}
    model = world.open()
    held = model.held()
    assert {each.offset: each.reason for each in held} == expected
    assert set(expected.values()) == {"rule:impossible", "rule:unknown-carrier", "rule:no_delay"}
    assert {each.kind for each in held} == {"suspect"}
    assert (told["read"], told["learned"], told["held"]) == (400, 400 - len(expected), len(expected))
    impossible = next(each for each in held if each.reason == "rule:impossible")
    assert "expected no event with delay < -100 and not cancelled, found delay = " in impossible.detail
    assert impossible.detail.endswith("(owner: ops)")
    world.config.write_text(
        world.config.read_text().split("[gate.rules]")[0] + '[store]\nurl = "sqlite:///tidemark.db"\n'
    )
    assert {each["equal"] for each in world.json("verify", "all")} == {True}  # by the record, not by today's rules


def test_a_rule_that_is_not_understood_is_told_before_anything_is_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", [{"a": 1, "y": True}] * 20)
    for rule in ("delay <", "__import__('os')", "delay + 1 > 2"):
        world.configure(log="file:events.jsonl", more=f'[gate.rules]\nbad = "{rule}"')
        assert "condition" in world.run("train", "--until-end", code=2).stderr
        assert not (tmp_path / "tidemark.db").exists()
        (ill,) = [each for each in world.json("doctor", code=1) if each["check"] == "rules"]
        assert ill["well"] is False
        with pytest.raises(ConfigError):
            read_rules(read_config(world.config))


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ("duplicates = 5", "source.id"),
        ('age_max = "1h"', "source.moment"),
        ("[gate.breaker]\nshare = 2", "gate.breaker.share"),
        ("[gate.breaker]\nlasts = 2", "gate.breaker.lasts"),
        ('[gate.rules]\n"a b" = "a < 1"', "gate.rules"),
        ('raw = "some"', "gate.raw"),
        ("bytes_max = 99999999", "gate.bytes_max"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path: Path, gate: str, told: str) -> None:
    world = World(tmp_path)
    world.configure(log="file:events.jsonl", more=f"[gate]\n{gate}")
    with pytest.raises(ConfigError, match=told):
        read_config(world.config)


# -- age


def test_events_that_are_too_old_when_they_are_read(tmp_path: Path) -> None:
    """Judged as it is read, and recorded; a later reading of history takes the record."""
    now = datetime.now(UTC)
    ages = [timedelta(days=3), timedelta(hours=1), timedelta(hours=26), timedelta(0), timedelta(days=-2)] * 10
    events = [{"a": n % 3, "at": (now - age).isoformat(), "y": n % 2 == 0} for n, age in enumerate(ages)]
    events += [{"a": 1, "at": None, "y": True}, {"a": 1, "at": "yesterday", "y": True}, {"a": 2, "y": False}]
    world = World(tmp_path)
    world.write_events("events.jsonl", events)
    world.configure(log="file:events.jsonl", more='moment = "at"\nignore = ["at"]\n[gate]\nage_max = "1d"')
    world.train()
    expected = [offset for offset, age in enumerate(ages) if age > timedelta(days=1)]
    held = world.open().held()
    assert [(each.offset, each.reason, each.kind) for each in held] == [(at, "too_old", "suspect") for at in expected]
    world.configure(log="file:events.jsonl", more='moment = "at"\nignore = ["at"]')
    assert {each["equal"] for each in world.json("verify", "all")} == {True}


@pytest.mark.parametrize("later", [False, True])
def test_the_records_own_time_counts_where_no_field_is_named(later: bool) -> None:  # noqa: FBT001
    now_ms = time.time_ns() // 1_000_000
    stamps = [now_ms, now_ms - 3_600_001, None, now_ms - 3_000_000]
    schema = Schema((FeatureField("a", "number"),), LabelField("y", "truth"))
    sieve = Sieve([], FORM, age_max=timedelta(hours=1))
    gate = Gate("t", Decoder(schema, FORM, bound=1e15), sieve=sieve)
    events = [b'{"a": 1, "y": true}'] * 4
    if later:  # one event is held already: places and examples are not the same
        events[0] = b"garbage"
    held = gate.judge(Batch((span_of(events, stamps),))).held
    assert [(each.offset, each.reason) for each in held if each.reason == "too_old"] == [(1, "too_old")]


def test_a_rule_asks_only_events_that_were_accepted_and_leaves_the_others_in_order() -> None:
    schema = Schema((FeatureField("a", "number"),), LabelField("y", "truth"))
    gate = Gate("t", Decoder(schema, FORM, bound=1e15), sieve=Sieve([Rule("x", read_where("a > 5"))], FORM))
    events = [json.dumps({"a": a, "y": True}).encode() for a in (1, 7, "q", 2, 9, 3)]
    verdicts = gate.judge(Batch((span_of(events),)))
    assert [x["a"] for x in verdicts.xs] == [1.0, 2.0, 3.0]
    assert verdicts.offsets == [(0, [0, 3, 5])]
    assert [(each.offset, each.reason) for each in verdicts.held] == [(1, "rule:x"), (2, "field_type"), (4, "rule:x")]


@pytest.mark.parametrize(
    ("number", "absence"),
    [("b < -9", "missing(b)"), ("kind == 'q'", "missing(kind)"), ("on and b < -9", "missing(on)")],
)
def test_a_field_that_is_compared_and_asked_for_is_missing_where_it_is(number: str, absence: str) -> None:
    (name,) = read_where(absence).names
    rules = [Rule("compared", read_where(number)), Rule("absent", read_where(absence))]
    schema = Schema((), LabelField("y", "truth"))
    gate = Gate("t", Decoder(schema, FORM, bound=1e15, labeled=False), sieve=Sieve(rules, FORM))
    there: dict[str, Any] = {"b": 1.5, "kind": "x", "on": False}
    events = [there, {}, {**there, name: None}, {**there, name: ""}, {**there, name: [1]}]
    for several in (events, events[:2], events[:1]):  # with null and without
        held = gate.judge(Batch((span_of([json.dumps(event).encode() for event in several]),))).held
        assert [each.offset for each in held] == [1, 2, 3][: max(0, len(several) - 1)]
        assert {each.reason for each in held} <= {"rule:absent"}
