"""The guided tour, whole: what it shows is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from store import Store
from store.types import Version
from stream.commands.demo import Sizes, demo

SIZES = Sizes(first=6_000, later=4_000, every=1_000)


def head(folder: Path, name: str) -> Version:
    with Store.open(f"sqlite:///{folder / name}.db") as store:
        return store.model("flights").head()[0]


def test_the_rebuilt_model_of_the_demo_equals_the_one_that_never_saw_the_poison(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    demo(folder, SIZES)
    told = capfd.readouterr().out
    assert told.count("bit for bit") == 2

    poisoned, clean = ((folder / f"{log}.jsonl").read_text().splitlines() for log in ("flights", "undisturbed"))
    there = set(clean)
    assert len(poisoned) == SIZES.first + SIZES.later
    assert clean == [line for line in poisoned if line in there]
    bad = [json.loads(line) for line in poisoned if line not in there]
    assert {(event["origin"], event["departed_at"][:10]) for event in bad} == {("EWR", bad[0]["departed_at"][:10])}
    assert len(bad) > 100
    assert max(abs(event["dep_delay"]) for event in bad) > 1e6

    rebuilt, oracle = head(folder, "tidemark"), head(folder, "undisturbed")
    assert rebuilt.accounts.held == len(bad)
    assert rebuilt.accounts.learned == oracle.accounts.learned
    assert oracle.accounts.held == 0
    table = re.findall(r"^(Accuracy|F1|ROCAUC) +(cumulative|window) +(\S+) +(\S+) +(\S+) +(\S+)$", told, re.MULTILINE)
    assert [line[:2] for line in table] == [
        ("Accuracy", "cumulative"),
        ("Accuracy", "window"),
        ("F1", "cumulative"),
        ("F1", "window"),
        ("ROCAUC", "window"),
    ]
    for metric, span, _, ruined, again, never in table:
        assert again == never == f"{oracle.proof.scores[metric][span]:.4f}"
        assert rebuilt.proof.scores[metric][span] == oracle.proof.scores[metric][span]
        assert float(ruined) < float(again) - 0.01, (metric, span)
