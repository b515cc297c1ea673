"""Label health against plain counting: how long labels took, and which never came."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest

from learners import LabelPolicy, Learner, read_recipe

SECOND = 1_000_000
RECIPE = read_recipe('compose.Discard("g") | linear_model.LogisticRegression()', "binary")


def learner() -> Learner:
    return Learner.new(
        RECIPE,
        features=("a", "g"),
        metrics=("Accuracy",),
        window=50,
        labels=LabelPolicy(timeout=300 * SECOND),
        slices=("g",),
        slices_max=2,
    )


def stream(seed: int) -> list[tuple[dict[str, Any], bool, int, int | None]]:
    source, now, made = random.Random(seed), 0, []
    for _ in range(500):
        now += source.randrange(5) * SECOND
        x: dict[str, Any] = {"a": source.random(), "g": source.choice("xyz")}
        if source.random() < 0.1:
            del x["g"]
        delay = source.choice([0, SECOND - 1, SECOND, 30 * SECOND, 299 * SECOND, 900 * SECOND, None])
        if x.get("g") == "x" and source.random() < 0.5:
            delay = None
        made.append((x, source.random() < 0.5, now, None if delay is None else now + delay))
    return [*made, ({"a": 0.5, "g": "x"}, True, now + 10_000 * SECOND, None)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_delays_and_what_never_came_by_slice(seed: int) -> None:
    made, source = stream(seed), random.Random(seed)
    whole, parts = learner(), learner()
    columns = list(zip(*made, strict=True))
    whole.test_then_train(*columns)
    start = 0
    while start < len(made):
        stop = start + source.randrange(1, 60)
        parts.test_then_train(*(column[start:stop] for column in columns))
        start = stop
        parts = Learner.restore(parts.seal().state)
    assert parts.details() == whole.details()

    names: list[str] = []
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    edges = whole.details()["labels"]["delay"]["edges_s"]
    assert edges == sorted(edges)
    bins = [0] * (len(edges) + 1)
    for x, _, now, due in made:
        value = x.get("g")
        if value is not None and value not in names and len(names) < 2:
            names.append(value)
        fate = counts["(missing)" if value is None else value if value in names else "(other)"]
        fate[0] += 1
        if due is not None and due - now <= 300 * SECOND:
            delay = due - now
            fate[1] += 1
            fate[3] += delay
            bins[sum(delay / SECOND >= edge for edge in edges)] += 1
        elif now < made[-1][2]:
            fate[2] += 1
    health = whole.details()["labels"]
    assert health["delay"]["counts"] == bins
    assert health["slices"]["g"] == {
        name: {
            "asked": asked,
            "learned": learned,
            "expired": expired,
            "pending": asked - learned - expired,
            "mean_delay_s": delays / learned / 1e6,
        }
        for name, (asked, learned, expired, delays) in counts.items()
    }
    for key in ("asked", "learned", "expired", "pending"):
        assert health[key] == sum(fate[key] for fate in health["slices"]["g"].values())
    assert health["pending"] == 1
