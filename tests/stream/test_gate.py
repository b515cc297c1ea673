"""The gate's settings, each against what a person would say by hand: size, what is kept of an event, who owns it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stream.held import kind_of
from tests.world import ELEC2, World


def world_of(folder: Path, events: list[bytes], gate: str, more: str = "") -> World:
    world = World(folder)
    world.write_events("events.jsonl", events)
    learner = f"compose.Discard('kind') | {ELEC2}"
    world.configure(log="file:events.jsonl", learner=learner, more=f"{more}\n[gate]\n{gate}")
    return world


def event(**fields: Any) -> bytes:
    return json.dumps({"a": 1.0, "b": 2.0, "y": True, **fields}).encode()


def held(world: World) -> dict[int, str]:
    return {each.offset: each.reason for each in world.open().held()}


def test_a_record_that_is_larger_than_bytes_max_is_held(tmp_path: Path) -> None:
    events = [event(y=place % 2 == 0) for place in range(20)]
    events[3] = event(note="")
    sizes = [len(each) for each in events]
    limit = max(sizes) - 1
    world = world_of(tmp_path, events, f"bytes_max = {limit}")
    world.train()
    assert held(world) == {place: "too_large" for place, size in enumerate(sizes) if size > limit} == {3: "too_large"}
    (found,) = world.open().held()
    assert (found.kind, found.raw) == ("malformed", events[3])
    assert f"{limit} bytes, found {sizes[3]}" in found.detail


def test_bytes_max_holds_labels_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("flights.jsonl", [{"id": n, "at": 10 * n, "a": n % 3} for n in range(30)])
    notes = {7: "x" * 200}
    labels = [{"id": n, "at": 10 * n + 5, "y": n % 2 == 0, "note": notes.get(n, "")} for n in range(30)]
    world.write_events("arrivals.jsonl", labels)
    world.configure(
        log="file:flights.jsonl",
        more='id = "id"\nmoment = "at"\nignore = ["at"]\n[labels]\nlog = "file:arrivals.jsonl"\nmoment = "at"\n'
        "[gate]\nbytes_max = 150",
    )
    told = world.train()
    assert [(each.topic, each.offset, each.reason) for each in world.open().held()] == [("arrivals", 7, "too_large")]
    assert (told["read"], told["learned"], told["pending"]) == (30, 29, 1)


@pytest.mark.parametrize("raw", ["keep", "hash", "drop"])
def test_what_is_kept_of_a_held_event(tmp_path: Path, raw: str) -> None:
    """Neither its bytes nor a value of it in words, unless they are to be kept."""
    secret = "4539-1488"
    bad = [
        event(b=secret),
        secret.encode(),
        event(kind=secret),
        event(a=4539.1488e300),
        event(y=secret),
    ]
    events = [event(y=place % 2 == 0, kind="usual") for place in range(20)] + bad
    schema = '[schema]\na = { type = "number" }\nb = { type = "number" }\n'
    schema += 'kind = { type = "category", values = ["usual"] }'
    began = datetime.now(UTC)
    world = world_of(tmp_path, events, f'raw = "{raw}"', schema)
    world.train()
    found = world.open().held()
    reasons = ["field_type", "not_json", "not_allowed", "beyond_bound", "target_type"]
    assert [each.reason for each in found] == reasons
    for each, value in zip(found, bad, strict=True):
        assert each.raw == (value if raw == "keep" else None)
        assert each.sha256 == (None if raw == "drop" else hashlib.sha256(value).hexdigest())
        assert each.held_at is not None
        assert timedelta(0) <= each.held_at - began < timedelta(minutes=5)
        if each.reason != "not_json":
            assert ("4539" in each.detail or "4.539" in each.detail) == (raw == "keep"), each.detail
        assert each.detail


def test_a_traceback_is_kept_only_with_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "fussy.py").write_text(
        "from river import linear_model\n"
        "class Fussy(linear_model.LogisticRegression):\n"
        "    def learn_one(self, x, y):\n"
        "        if x['a'] == 7: raise ValueError(f'secret {x}')\n"
        "        super().learn_one(x, y)\n"
        "def make():\n    return Fussy()\n"
    )
    events = [event(a=place, y=place % 2 == 0) for place in range(20)]
    for raw in ("keep", "drop"):
        world = World(tmp_path, raw)
        world.write_events("events.jsonl", events)
        world.configure(log="file:events.jsonl", learner="fussy:make", more=f'[gate]\nraw = "{raw}"')
        world.train()
        (found,) = world.open().held()
        assert (found.offset, found.reason, found.kind) == (7, "learner_raised", "suspect")
        assert ("secret" in found.detail) == (raw == "keep")


def test_who_owns_a_feature_is_told(tmp_path: Path) -> None:
    """The owner is named for a value that does not fit and for one that is missing; it may change at any time."""
    schema = '[schema]\na = {{ type = "number", max = 10, owner = "{}" }}\nb = {{ type = "number", required = true }}'
    events = [event(y=place % 2 == 0) for place in range(20)]
    events += [event(a=11), event(a="x"), event(b="x"), event(b=None)]
    world = world_of(tmp_path, events, "", schema.format("market-data"))
    world.train()
    told = ["market-data" in each.detail for each in world.open().held()]
    assert told == [True, True, False, False]
    assert "owner" not in json.dumps(world.json("show", "head")["schema"])
    world = world_of(tmp_path, [*events, event(a=12)], "", schema.format("desk-7"))
    world.train()
    assert world.open().held()[-1].detail.endswith("(owner: desk-7)")


def test_reasons_of_what_cannot_be_read_and_of_what_is_not_trusted() -> None:
    suspects = ["learner_raised", "learner_tainted", "too_old", "duplicate_id", "quarantined", "rule:x"]
    assert {kind_of(reason) for reason in suspects} == {"suspect"}
    assert {kind_of(reason) for reason in ("too_large", "not_json", "out_of_range", "time_ahead")} == {"malformed"}
