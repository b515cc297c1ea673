"""How far it is known what was held, while a trainer saves: a version may come between any two looks at the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store import ModelStore
from stream.known import behind
from tests.world import World

LINEAR = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.1))"


def events(first: int, stop: int) -> list[dict[str, Any]]:
    return [{"a": i % 7, "sensor": 7.0 if i % 10 == 3 else 1.0, "y": i % 2 == 0} for i in range(first, stop)]


def test_a_version_that_comes_between_two_looks_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    log = world.write_events("topic/0.jsonl", events(0, 100))
    world.configure(log="file:topic", learner=LINEAR)
    world.run("train", "--until-end")
    world.run("quarantine", "add", "--where", "sensor == 7", "--reason", "garbage")
    store, saved = world.open(), []

    def then_a_version(look: Callable[..., Any]) -> Callable[..., Any]:
        def looked(*arguments: Any, **more: Any) -> Any:
            found = look(*arguments, **more)
            if not saved:
                saved.append(True)
                with log.open("a", encoding="utf-8") as out:
                    out.writelines(json.dumps(event) + "\n" for event in events(100, 150))
                world.run("train", "--until-end")
            return found

        return looked

    for name in ("outline", "all_holds"):
        monkeypatch.setattr(ModelStore, name, then_a_version(getattr(ModelStore, name)))
    entries = store.quarantine()[1]
    list(behind(store, entries))  # knows the new version, or nothing of it
    ((entry, stops),) = behind(store, entries)
    assert (entry.entry, stops) == (1, {0: 144})
    assert store.head()[0].version == 3
