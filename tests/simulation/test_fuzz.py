"""Ten thousand records that should not be: none ends the process, every one is accounted for, nothing good is lost.

The oracle counts lines, and trains a clean world on the lines that were not held.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from store.types import HeldEvent
from stream.log import Format, Span
from stream.moments import moments_of
from tests.simulation.nasties import as_csv, as_json, fuzzed, texts
from tests.world import World

GOOD = 2_000
FUZZED = {"at once": 10_000, "later": 4_000, "apart": 4_000}
RECIPE = (
    "(compose.Select('a', 'b') | preprocessing.StandardScaler())"
    " + (compose.Select('c') | preprocessing.OneHotEncoder())"
    " | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
)
SCHEMA = """[schema]
a = { type = "number" }
b = { type = "number", max = 9, required = true }
c = { type = "category", required = true }
on = { type = "bool" }
[gate]
breaker = false
"""
"""Without a breaker: it would stop at such a stream, as it should. The model raises where `a` is missing."""
WAYS = {
    "at once": "",
    "later": '[labels]\nmoment = "known_at"\ntimeout = "500s"\n',
    "apart": '[labels]\nlog = "file:labels.{end}"\nmoment = "known_at"\n',
}
FEATURES, TOLD = ("a", "b", "c", "on", "at", "known_at", "id"), ("id", "known_at", "y")


def good_events() -> list[dict[str, Any]]:
    source, made = random.Random(11), []
    for number in range(GOOD):
        a, b, at = source.gauss(0, 1), source.gauss(0, 1), 1_600_000_000 + 10 * number
        known = at + source.randrange(1, 90)
        c, on = source.choice("xyz"), source.random() < 0.5
        made.append({"a": a, "b": b, "c": c, "on": on, "at": at, "known_at": known, "id": f"e{number}", "y": a > b})
    return made


def mixed(good: list[dict[str, Any]], form: str, seed: int, count: int) -> list[bytes]:
    """Return good records, in order, with fuzzed ones at random between; few among the first, that settle labels."""
    write = as_json if form == "json" else as_csv
    source, records = random.Random(seed), [write(texts(event)) for event in good]
    for number, nasty in enumerate(fuzzed(good, write, seed, count)):
        records.insert(source.randrange(1 if number % 200 == 0 else 1000, len(records) + 1), nasty)
    return records


def world_of(folder: Path, form: str, way: str, logs: dict[str, tuple[tuple[str, ...], list[bytes]]]) -> World:
    end = "jsonl" if form == "json" else "csv"
    world = World(folder)
    for name, (columns, records) in logs.items():
        header = [",".join(columns).encode()] if form == "csv" else []
        world.write_events(f"{name}.{end}", [*header, *records])
    more = f'moment = "at"\nid = "id"\nignore = ["at", "known_at"]\n{WAYS[way].format(end=end)}{SCHEMA}'
    validation = '[validation]\nmetrics = ["Accuracy", "LogLoss"]\n[snapshots]\nevery_events = 3000\n'
    world.configure(log=f"file:events.{end}", learner=RECIPE, model="positive = true", more=more + validation)
    return world


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("way", WAYS)
def test_ten_thousand_fuzzed_records(tmp_path: Path, way: str, form: str) -> None:
    good, count = good_events(), FUZZED[way]
    logs = {"events": ((*FEATURES, "y"), mixed(good, form, 1, count))}
    if way == "apart":
        asked = [{name: event[name] for name in FEATURES} for event in good]
        told = sorted(({name: event[name] for name in TOLD} for event in good), key=lambda label: label["known_at"])
        logs = {"events": (FEATURES, mixed(asked, form, 1, count)), "labels": (TOLD, mixed(told, form, 2, count))}
    world = world_of(tmp_path / "fuzzed", form, way, logs)
    world.train()
    head, held = world.json("show", "head"), world.open().held()
    events = head["events"]
    assert events["read"] == GOOD + count == sum(events[name] for name in ("learned", "held", "pending", "expired"))
    for name, (_, records) in logs.items():
        here = {each.offset: each for each in held if each.topic == name}
        check_held(records, here)
        if name == "events":
            assert events["held"] == len(here)
        assert len(here) > count // 2
        columns = logs[name][0]
        left = [None if n in here else each for n, each in enumerate(records)]
        if way == "apart":
            left = [time_only(each, here[n], columns, form) if n in here else each for n, each in enumerate(records)]
        logs[name] = (columns, [each for each in left if each is not None])
    assert events["learned"] > 0.9 * GOOD
    assert len({each.reason for each in held}) >= 10
    assert all(each["equal"] for each in world.json("verify", "all"))
    clean = world_of(tmp_path / "clean", form, way, logs)
    clean.train()
    found = clean.json("show", "head")
    assert {**found["events"], "read": 0, "held": 0} == {**events, "read": 0, "held": 0}
    for scores in (head, found):
        for each in scores["scores"].values():
            each.pop("since_last")
    assert found["scores"] == head["scores"]
    assert found["details"]["outputs"] == head["details"]["outputs"]


def check_held(records: list[bytes], held: dict[int, HeldEvent]) -> None:
    """Assert that what is held is what was written, with a reason."""
    for offset, each in held.items():
        assert each.raw == records[offset].removesuffix(b"\r"), (offset, each.reason)
        assert each.reason
        assert each.detail


def time_only(record: bytes, held: HeldEvent, columns: tuple[str, ...], form: str) -> bytes | None:
    """Return a record that tells nothing but the time of a held one, None if that told none: logs are merged by it."""
    field = "at" if "at" in columns else "known_at"
    span = Span(0, 0, 1, [0], [record], [None], [None])
    (moment,) = moments_of(field, Format("json") if form == "json" else Format("csv", columns))(span)
    if moment is None or held.reason == "time_ahead":
        return None
    whole = {name: f"{moment / 1e6!r}" if name == field else "" for name in columns}
    return as_csv(whole) if form == "csv" else as_json({field: whole[field]})


def test_names_of_fields_may_have_quotes_and_their_records_be_none(tmp_path: Path) -> None:
    """Such names are read in another way, that must not raise either."""
    world = World(tmp_path)
    asked = [{'at "it"': 10 * n, 'i"d': n, "a": float(n % 7)} for n in range(300)]
    told = [{"known\\at": 10 * n + 5, 'i"d': n, 'y"': n % 7 > 3} for n in range(300)]
    nasty = [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"7",
        b'"at"',
        b'{"at": 1}',
        b"\xff",
        b"[" * 9999,
        b'{"at \\"it\\"": {}}',
        b"1e999",
    ]
    for name, records in (("events", asked), ("labels", told)):
        lines: list[Any] = list(records)
        for place, each in enumerate(nasty):
            lines.insert(20 * place + 50, each)
        world.write_events(f"{name}.jsonl", lines)
    world.configure(
        log="file:events.jsonl",
        target='y"',
        model="positive = true",
        more="moment = 'at \"it\"'\nid = 'i\"d'\n[labels]\nlog = 'file:labels.jsonl'\nmoment = 'known\\at'\n",
    )
    world.train()
    events = world.json("show", "head")["events"]
    assert (events["read"], events["held"], events["learned"]) == (300 + len(nasty), len(nasty), 300)
