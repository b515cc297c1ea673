"""`runs show` and `runs compare`: what was asked, by which code, and what it came to; numbers are river's own."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from river import linear_model, metrics, naive_bayes

from stream.environment import commit_of
from tests.world import World

BAYES, LINEAR = "naive_bayes.GaussianNB()", "linear_model.LogisticRegression()"


def stream(count: int) -> list[dict[str, Any]]:
    source = random.Random(1)
    made = []
    for _ in range(count):
        a, b = source.gauss(0, 1), source.uniform(0, 9)
        made.append({"a": a, "b": b, "y": a + source.gauss(0, 1) > b - 4})
    return made


def accuracy(model: Any, count: int) -> float:
    """Return the accuracy of a bare river loop over the first events."""
    score = metrics.Accuracy()
    for event in stream(count):
        x = {"a": event["a"], "b": event["b"]}
        if (answer := model.predict_one(x)) is not None:
            score.update(event["y"], answer)
        model.learn_one(x, event["y"])
    return score.get()


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Runs 1 to 4: a backtest before the model has a version, training, a shorter backtest of two, one that failed."""
    world = World(tmp_path_factory.mktemp("runs"))
    world.write_events("events.jsonl", stream(900))
    world.configure(log="file:events.jsonl", learner=BAYES, more='[validation]\nmetrics = ["Accuracy"]')
    git(world.folder, "init", "--quiet")
    git(world.folder, "add", "tidemark.toml")
    git(world.folder, "commit", "--quiet", "--message", "first")
    assert world.json("backtest", "--workers", "1")["run"] == 1
    assert [run["command"] for run in world.json("runs")] == ["backtest"], "the model has no version"
    world.train()
    world.configure(
        log="file:events.jsonl", learner=BAYES, more='[validation]\nmetrics = ["Accuracy"]\n[gate]\nbound = 9e9'
    )
    candidates = ("--learner", "live", "--learner", LINEAR, "--to", "600")
    assert world.json("backtest", "--workers", "1", *candidates)["run"] == 3
    world.run("backtest", "--start", "99", code=2)
    return world


def test_runs_alone_lists_them(world: World) -> None:
    found = world.json("runs")
    assert [(run["run"], run["command"], run["outcome"]) for run in found] == [
        (1, "backtest", "done"),
        (2, "train", "done"),
        (3, "backtest", "done"),
        (4, "backtest", "failed"),
    ]
    assert "backtest" in world.run("runs").stdout
    assert "after show" in world.run("runs", "--json", "show", "1", code=2).stderr


def test_show_tells_a_run_whole(world: World) -> None:
    found = world.json("runs", "show", "3")
    assert (found["run"], found["command"], found["outcome"], found["error"]) == (3, "backtest", "done", None)
    assert found["commit"] == git(world.folder, "rev-parse", "HEAD") + "+dirty"
    assert found["config"]["gate"]["bound"] == 9e9
    assert found["range"]["to"] == {"events": {"0": 600}}
    assert found["environment"]["river"]
    assert found["seconds"] > 0
    assert len(found["config_hash"]) == 64
    scores = {trial["name"]: trial["result"]["scores"]["Accuracy"]["cumulative"] for trial in found["trials"]}
    assert scores == {
        "live": accuracy(naive_bayes.GaussianNB(), 600),
        "LogisticRegression": accuracy(linear_model.LogisticRegression(), 600),
    }
    shown = world.run("runs", "show", "3").stdout
    assert "LogisticRegression" in shown
    assert "gate.bound" in shown
    assert format(scores["live"], ".4f") in shown


def test_show_tells_what_failed_and_what_trained(world: World) -> None:
    failed = world.json("runs", "show", "4")
    assert failed["outcome"] == "failed"
    assert "99" in failed["error"]
    assert failed["commit"].endswith("+dirty"), "known before it failed"
    trained = world.json("runs", "show", "2")
    assert (trained["commit"], trained["trials"], trained["result"]["learned"]) == (None, [], 900)
    assert "done" in world.run("runs", "show", "2").stdout
    assert "none with the number 99" in world.run("runs", "show", "99", code=2).stderr


def test_compare_tells_what_differs(world: World) -> None:
    found = world.json("runs", "compare", "1", "3")
    assert found["config"] == {"gate.bound": {"from": 1e15, "to": 9e9}}
    assert found["environment"] == {}
    commit = git(world.folder, "rev-parse", "HEAD")
    assert found["asked"] == {
        "commit": {"from": commit, "to": f"{commit}+dirty"},
        "range.to.events.0": {"from": 900, "to": 600},
        "candidates.LogisticRegression": {"from": None, "to": "linear_model.LogisticRegression()"},
    }
    was, now = accuracy(naive_bayes.GaussianNB(), 900), accuracy(naive_bayes.GaussianNB(), 600)
    assert found["scores"]["live"]["Accuracy"]["cumulative"] == {"from": was, "to": now, "change": now - was}
    alone = found["scores"]["LogisticRegression"]["Accuracy"]["cumulative"]
    assert alone == {"from": None, "to": accuracy(linear_model.LogisticRegression(), 600), "change": None}
    shown = world.run("runs", "compare", "1", "3").stdout
    assert "the ranges differ" in shown
    assert "gate.bound" in shown
    world.run("runs", "compare", "1", "99", code=2)


def test_a_backtest_compares_with_the_training_of_the_same_events(world: World) -> None:
    found = world.json("runs", "compare", "1", "2")
    assert found["config"] == {}
    assert found["asked"]["command"] == {"from": "backtest", "to": "train"}
    (scores,) = found["scores"].values()
    score = accuracy(naive_bayes.GaussianNB(), 900)
    assert scores["Accuracy"]["cumulative"] == {"from": score, "to": score, "change": 0.0}
    same = world.run("runs", "compare", "1", "1").stdout
    assert "config: the same" in same


def test_the_commit_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit_of(tmp_path) is None, "no repository"
    git(tmp_path, "init", "--quiet")
    assert commit_of(tmp_path) is None, "no commit yet"
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").write_text("one")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    first = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of(inner) == first
    (tmp_path / "new").write_text("git does not know it")
    assert commit_of(inner) == first
    (inner / "file").write_text("two")
    assert commit_of(inner) == f"{first}+dirty"
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    assert commit_of(inner) is None, "it takes too long"
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert commit_of(inner) is None, "there is no git"


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(50))
    world.configure(log="file:events.jsonl", learner=BAYES)
    assert "expected a store" in world.run("runs", "show", "1", code=2).stderr
    number = world.json("backtest", "--workers", "1")["run"]
    assert world.json("runs", "show", str(number))["commit"] is None
    assert "commit" not in json.dumps(world.json("runs"))
