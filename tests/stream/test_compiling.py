"""A compiler that does not work stops nobody: river runs the model, and people are told why."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.world import World, until

ROOT = Path(__file__).parents[2]


def test_a_compiler_that_does_not_work_is_told_by_status_show_and_doctor(tmp_path: Path) -> None:
    world, source = World(tmp_path), random.Random(1)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "numba.py").write_text("raise ImportError('numpy is too new')", encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path / "odd"), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments: str) -> Any:
        code = "from stream.cli import main; main()"
        command = [sys.executable, "-c", code, *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
        return json.loads(done.stdout)

    def engine_checked() -> str:
        return str(next(each["found"] for each in run("doctor") if each["check"] == "engine"))

    events = [{"a": source.gauss(0, 1), "y": source.random() < 0.5} for _ in range(3_000)]
    world.configure(log="file:events.jsonl", learner="linear_model.LogisticRegression()")
    world.write_events("events.jsonl", events)
    run("train", "--until-end")
    assert run("show", "head")["engine"] == "compiled"  # so it would have been, had it gone on
    until(lambda: list((tmp_path / "cache").glob("*.refused")))
    assert engine_checked() == "river: numba does not work here: numpy is too new"
    world.write_events("events.jsonl", events * 2)
    assert run("train", "--until-end")["learned"] == 6_000
    assert run("show", "head")["engine"] == "river: numba does not work here: numpy is too new"
    environment["NUMBA_CACHE_DIR"] = str(tmp_path / "nothing")
    assert engine_checked().startswith("compiled; code on disk: none yet")
