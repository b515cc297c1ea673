"""A model that tries to read the label it is asked for: in the features, in what it was taught, wherever x leads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.world import World

MODEL = """
from river import base

class Poisoned(base.Classifier):
    def __init__(self):
        self.taught = []

    @property
    def _multiclass(self):
        return True

    def predict_one(self, x):
        number = int(x["number"])
        seen = [*map(str, x), *map(str, x.values()), *self.taught]
        return f"label {number}" if f"label {number}" in seen else "nothing"

    def learn_one(self, x, y):
        self.taught.append(y)

def make():
    return Poisoned()
"""
WAYS = {
    "at once": "",
    "later": '[labels]\nmoment = "known_at"',
    "in a log of their own": '[labels]\nlog = "file:labels.jsonl"\nmoment = "known_at"',
}


@pytest.mark.parametrize("way", WAYS)
def test_a_model_that_looks_for_the_label_does_not_find_it(tmp_path: Path, way: str) -> None:
    world = World(tmp_path)
    (tmp_path / "poisoned.py").write_text(MODEL)
    apart = way == "in a log of their own"
    label = [{"y": f"label {i}", "known_at": i + 5 * (way != "at once")} for i in range(300)]
    event = [{"id": i, "at": i, "number": i} for i in range(300)]
    world.write_events("events.jsonl", event if apart else [one | two for one, two in zip(event, label, strict=True)])
    world.write_events("labels.jsonl", [one | {"id": i} for i, one in enumerate(label)])
    world.configure(
        log="file:events.jsonl",
        task="multiclass",
        learner="poisoned:make",
        more=f'moment = "at"\nid = "id"\nignore = ["known_at"]\n{WAYS[way]}\n[validation]\nmetrics = ["Accuracy"]',
    )
    world.train(*([] if way == "at once" else ["--close"]))
    head = world.json("show", "head")
    assert head["events"]["learned"] == 300
    assert head["scores"]["Accuracy"]["cumulative"] == 0.0
    assert json.dumps(head["schema"]["features"]).count("known_at") == 0


def test_the_model_would_find_a_label_that_stands_in_a_feature(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "poisoned.py").write_text(MODEL)
    world.write_events("events.jsonl", [{"number": i, "y": f"label {i}", "leak": f"label {i}"} for i in range(100)])
    world.configure(
        log="file:events.jsonl",
        task="multiclass",
        learner="poisoned:make",
        more='[validation]\nmetrics = ["Accuracy"]',
    )
    world.train()
    assert world.json("show", "head")["scores"]["Accuracy"]["cumulative"] == 1.0
