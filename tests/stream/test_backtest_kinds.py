"""Backtests of all kinds of models and scores, and of labels that have a log of their own."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.backtest.told import plain as told_plain
from tests.stream.test_backtest import play, same, train
from tests.stream.test_label_log import append, configure, halves, spread
from tests.stream.test_labels import RECIPE, events, river_says
from tests.world import World

BAYES = "naive_bayes.GaussianNB()"
OTHER = RECIPE.replace("0.05", "0.003")


def test_labels_of_a_log_of_their_own_then_a_tail(tmp_path: Path) -> None:
    """Two thirds were trained live; recorded groups, then records by their times: equal to river's one stream."""
    made = events(1500, 3)
    made = [  # no two at the same time: ties are in the order of partitions
        {**event, "at": 10_000 * i, "known_at": 10_000 * i + 7000 * (event["known_at"] - event["at"]) + i % 997 + 1}
        for i, event in enumerate(made)
    ]
    world = configure(World(tmp_path))
    until = 10_000 * 1000
    asked, labels = halves(made)
    early = {"events": asked[:1000], "labels": [label for label in labels if label["known_at"] < until]}
    for name, records in early.items():
        for partition in (0, 1):
            append(world, f"{name}/{partition}.jsonl", records[partition::2])
    model = train(world)
    head = model.head()[0]
    assert head.accounts.pending > 0
    first = play(world, "live", OTHER, close=False)
    assert (first.replays_live, first.why) == (True, None)
    for metric, spans in first.outcomes[0].scores.items():
        assert spans == {span: head.proof.scores[metric][span] for span in spans}
    late = {"events": asked[1000:], "labels": labels[len(early["labels"]) :]}
    for name, records in late.items():
        for partition in (0, 1):
            append(world, f"{name}/{partition}.jsonl", records[partition::2])
    found = play(world, "live", OTHER)
    assert found.replays_live is True
    said = river_says(made)["model"]
    assert found.outcomes[0].scores["LogLoss"]["cumulative"] == pytest.approx(said[1], abs=1e-12)
    assert same(told_plain(found)) == same(told_plain(play(world, "live", OTHER, workers=2)))
    start = model.lineage(head.version)[2].version
    warm = play(world, OTHER, "live", start=str(start))
    assert warm.replays_live is True
    read = model.version(start).accounts.read
    assert warm.outcomes[1].values.tobytes() == found.outcomes[0].values[read:].tobytes()
    assert len(warm.outcomes[0].values) == len(warm.outcomes[1].values) == 1500 - read


def test_two_logs_without_versions(tmp_path: Path) -> None:
    made = [{**event, "at": 10 * i, "known_at": 10 * i + 1 + i % 7} for i, event in enumerate(events(900, 5))]
    world = configure(World(tmp_path))
    spread(world, made, 2)
    told = world.json("backtest", "--workers", "1")
    said = river_says(made)["model"]
    assert told["candidates"][0]["scores"]["LogLoss"]["cumulative"] == pytest.approx(said[1], abs=1e-12)
    assert told["replays_live"] is None


def of_kind(count: int, task: str) -> list[dict[str, Any]]:
    source = random.Random(task)
    made = []
    for at in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        y: Any = {"binary": a > b, "multiclass": "xyz"[(a > b) + (b > 0)], "regression": a - b}[task]
        made.append(
            {"at": at, "a": a, "b": b, "s": source.choice([1, 2, 3]), "w": source.choice([0.0, 0.5, 2.0]), "y": y}
        )
    return made


ALL = "fading = 0.99\nslices = ['s']\nstatic_after = 250\n"
SCHEMA = "[schema]\na = { type = 'number' }\nb = { type = 'number' }\ns = { type = 'number' }\n"
SCHEMA += "w = { type = 'number', min = 0, required = true }\n"
WEIGHED = "weight = 'w'\n"
TREE = "tree.HoeffdingTreeClassifier()"
LINEAR = "linear_model.LinearRegression(optimizer=optim.SGD(0.01))"
KINDS = {
    "binary": ("metrics = ['Accuracy', 'F1', 'LogLoss', 'ROCAUC']\n" + ALL, "", [TREE]),
    "multiclass": ("metrics = ['Accuracy', 'MacroF1']\n" + ALL, "", [TREE, BAYES]),
    "regression": (
        "metrics = ['MAE', 'RMSE', 'R2']\nbounds = { MAE = 9.0 }\n" + ALL,
        "",
        [f"preprocessing.StandardScaler() | {LINEAR}", "dummy.StatisticRegressor(stats.Mean())"],
    ),
    "weighed": (
        "metrics = ['MAE', 'RMSE']\n" + ALL + WEIGHED,
        WEIGHED,
        [LINEAR],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_of_scores(tmp_path: Path, kind: str) -> None:
    """From genesis and from a version, with all that is scored: live scores again, whatever cuts the range."""
    validation, model, learners = KINDS[kind]
    task = "regression" if kind == "weighed" else kind
    made = of_kind(1200, task)
    world = World(tmp_path)
    world.write_events("e.jsonl", made[:1000])
    world.configure(
        log="file:e.jsonl",
        task=task,
        model=model,
        learner=learners[0],
        more=f"ignore = ['at']\n[validation]\nwindow = 100\n{validation}[snapshots]\nevery_events = 170\n{SCHEMA}",
    )
    head = train(world).head()[0]
    world.write_events("e.jsonl", made)
    live = play(world, "live", *learners[1:], until="1000")
    assert (live.replays_live, live.why) == (True, None)
    for metric, spans in live.outcomes[0].scores.items():
        assert spans == {span: head.proof.scores[metric][span] for span in spans}
    assert live.outcomes[0].details["slices"] == head.proof.details["slices"]
    found = play(world, "live", *learners[1:])
    warm = play(world, "live", *learners[1:], start="3")
    assert (found.replays_live, warm.replays_live) == (True, True)
    begun = head.model and world.open().version(3).accounts.read
    assert begun == 340
    slices = warm.outcomes[0].details["slices"]["s"]
    for name, rows in itertools.groupby(sorted(made[340:], key=lambda event: event["s"]), lambda event: event["s"]):
        assert slices[str(name)]["events"] == len(list(rows))
    if kind == "weighed":
        assert found.verdict is None
        return
    values = found.outcomes[0].values
    assert warm.outcomes[0].values.tobytes() == values[340:].tobytes()
    first = next(iter(warm.outcomes[0].scores.values()))["cumulative"]
    assert first == pytest.approx(float(np.nanmean(values[340:])), abs=1e-12)
