"""Backtests from Python: from scripts with any hash seed, from an interactive session; frames are as river says."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from river import compose, datasets, linear_model, metrics, optim, preprocessing

from store import Store
from stream.backtest.frame import Frame
from stream.errors import ConfigError
from tests.world import World, until

ROOT = Path(__file__).parents[2]
SELECTED = ("age_of_domain", "empty_server_form_handler", "https", "ip_in_url", "is_popular", "long_url")
LIVE = (
    f"compose.Select({', '.join(map(repr, SELECTED))}) | preprocessing.StandardScaler() | "
    "linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"
)
"""Its features come out of a set: what it answers follows the hash seed in the last bit."""
ASK = """
from stream.backtest import backtest
found = backtest(learners={{"live": "live", "alma": "linear_model.ALMAClassifier()"}}, predictions=True{more})
"""
TELL = """
import json
print(json.dumps({
    "told": repr(found).splitlines(), "live": found.replays_live, "best": found.verdict["best"], "run": found.run,
    **{name: dict(getattr(found, name).columns) for name in ("leaderboard", "scores", "points", "predictions")},
}))
"""


def bare() -> tuple[list[float], metrics.Accuracy, list[tuple[bool, bool]]]:
    """River's own loop over its pages: probabilities, accuracy, (label, prediction)."""
    model = (
        compose.Select(*SELECTED)
        | preprocessing.StandardScaler()
        | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))
    )
    accuracy, answers, pairs = metrics.Accuracy(), [], []
    for x, y in datasets.Phishing():
        answers.append(model.predict_proba_one(x)[True])
        pairs.append((y, bool(model.predict_one(x))))
        accuracy.update(*pairs[-1])
        model.learn_one(x, y)
    return answers, accuracy, pairs


def python(
    folder: Path, *arguments: str, seed: str = "random", script: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder as anybody would, with this project on its path."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment(), "PYTHONHASHSEED": seed},
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(":")}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """River's pages as a log; nothing was trained."""
    world = World(tmp_path)
    world.write_events("events.jsonl", ({**x, "y": y} for x, y in datasets.Phishing()))
    world.configure(log="file:events.jsonl", learner=LIVE, more="[validation]\nmetrics = ['Accuracy']\nwindow = 500")
    return world


def asked(folder: Path, *arguments: str, seed: str, script: str | None = None) -> dict[str, Any]:
    done = python(folder, *arguments, seed=seed, script=script)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("seed", ["random", "1"])
def test_a_script_without_a_guard_and_with_any_hash_seed_finds_what_river_does(world: World, seed: str) -> None:
    world.train()
    (world.folder / "script.py").write_text(ASK.format(more=", workers=1") + TELL, encoding="utf-8")
    found = asked(world.folder, "script.py", seed=seed)
    answers, accuracy, pairs = bare()
    predictions = found["predictions"]
    mine = [place for place, name in enumerate(predictions["candidate"]) if name == "live"]
    assert [predictions["probability"][place] for place in mine] == answers
    assert [(predictions["y"][place], predictions["y_pred"][place]) for place in mine] == pairs
    assert [predictions["event"][place] for place in mine] == [*range(1, 1251)]
    board = found["leaderboard"]
    assert board["Accuracy"][board["candidate"].index("live")] == accuracy.get()
    assert found["live"] is True
    assert found["told"][-1].startswith("replays live: equal (the predictions and scores of ")
    points = found["points"]
    series = [
        (points["events"][place], points["Accuracy_cumulative"][place])
        for place, name in enumerate(points["candidate"])
        if name == "live"
    ]
    rights = [y == y_pred for y, y_pred in pairs]
    assert series == [(events, sum(rights[:events]) / events) for events in (500, 1000, 1250)]


def test_an_interactive_session_with_several_processes(world: World) -> None:
    """As a notebook has it: the main module has no file, and lines come one by one."""
    found = asked(
        world.folder, "-i", "-q", seed="random", script=ASK.format(more=", workers=2, until=600") + TELL_ON_ONE
    )
    assert found["live"] is None
    assert {*found["scores"]["candidate"]} == {"alma", "live", "NoChange", "Prior"}
    assert len(found["predictions"]["y"]) == 2 * 600
    answers, _, _ = bare()
    mine = [
        p
        for p, name in zip(found["predictions"]["probability"], found["predictions"]["candidate"], strict=True)
        if name == "live"
    ]
    assert mine == answers[:600]


TELL_ON_ONE = TELL.replace("\n    ", " ").replace(",\n", ", ")


def test_what_is_wrong_is_raised_with_what_to_do(world: World) -> None:
    script = (
        "from stream.backtest import backtest\nfrom stream.errors import ConfigError\n"
        "from learners import RecipeError\n"
        "try:\n    backtest(learners='linear_model.Nothing()')\n"
        "except RecipeError as error:\n    print(error, '|', error.hint, '|', len(error.__notes__))\n"
        "try:\n    backtest('absent.toml')\nexcept ConfigError as error:\n    print(error)\n"
    )
    said = python(world.folder, "-c", script).stdout.splitlines()
    assert said[0].startswith("candidate 'Nothing': river has no public class linear_model.Nothing | ")
    assert said[0].endswith(" | 1")
    assert "absent.toml" in said[1]


def test_what_ifs_are_named_as_the_options_of_the_command(world: World) -> None:
    script = (
        "from stream.backtest import backtest\n"
        "print(backtest(until=100, shift='is_popular=+1', drop=['https'], order='reversed'))\nbacktest(shuffle=1)"
    )
    done = python(world.folder, "-c", script)
    assert done.stdout.splitlines()[0].endswith(
        "untrained at first; drop https; shift is_popular by +1; order reversed"
    )
    assert "TypeError" in done.stderr
    assert "shuffle" in done.stderr


def test_predictions_are_there_if_asked_for(world: World) -> None:
    script = ASK.format(more="").replace(", predictions=True", ", until=50") + "found.predictions"
    done = python(world.folder, "-c", script)
    assert "expected predictions, found that they were not kept" in done.stderr


def test_an_interrupt_reaches_the_run(world: World) -> None:
    world.configure(log="file:events.jsonl", learner="tests.stream.slow:slow")
    Store.open(f"sqlite:///{world.folder / 'tidemark.db'}", create=True).close()
    # heard below a shell that ignores it, too
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    arguments = [sys.executable, "-c", f"{heard}\nfrom stream.backtest import backtest\nbacktest()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, cwd=world.folder, env=environment(), stderr=pipe, text=True) as process:
        try:
            until(lambda: runs(world), seconds=60)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "KeyboardInterrupt" in said
    assert runs(world) == [("backtest", "interrupted")]


def runs(world: World) -> list[tuple[str, str]]:
    with Store.open(f"sqlite:///{world.folder / 'tidemark.db'}") as store:
        return [(run.command, run.outcome) for run in store.model("m").runs()]


def test_importing_it_waits_for_nothing(tmp_path: Path) -> None:
    heavy = ("river", "numpy", "pydantic", "msgspec", "sqlalchemy", "narwhals", "plotly", "rich")
    done = python(tmp_path, "-c", f"import sys, stream.backtest\nprint([m for m in {heavy} if m in sys.modules])")
    assert done.stdout == "[]\n", done.stderr


def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    """Its numbers are the published ones of river's page on binary classification."""
    script = f"""
import json, runpy
names = runpy.run_path({str(ROOT / "docs" / "backtest.py")!r})
board = names["leaderboard"].set_index("candidate")
print(json.dumps({{"scores": board.loc["live", ["Accuracy", "F1"]].tolist(), "wrong": names["wrong"].to_dict(),
                  "rates": len(names["rates"].leaderboard), "lines": len(names["found"].plot().data)}}))
"""
    found = asked(tmp_path, "-c", script, seed="random")
    assert found["scores"] == [pytest.approx(0.8872), pytest.approx(0.871233, abs=1e-6)]
    assert found["wrong"]["live"] == round(1250 * (1 - 0.8872))
    assert found["rates"] == 3
    assert found["lines"] == 3 + 2


@pytest.mark.parametrize("backend", ["polars", "pandas"])
def test_a_frame_becomes_a_table_of_what_there_is(backend: str) -> None:
    frame = Frame({"name": ["a", "b"], "n": [1, 2], "score": [0.5, None], "right": [True, False]})
    if importlib.util.find_spec(backend) is None:
        with pytest.raises(ConfigError, match=f"expected the package {backend}"):
            getattr(frame, f"to_{backend}")()
        pytest.skip(f"{backend} is not installed: make setup")
    table = getattr(frame, f"to_{backend}")()
    assert type(table).__module__.split(".")[0] == backend
    assert list(table.columns) == ["name", "n", "score", "right"]
    assert [*table["n"]] == [1, 2]
    assert [*table["right"]] == [True, False]
    assert str(table["score"].to_list()) in ("[0.5, None]", "[0.5, nan]")
