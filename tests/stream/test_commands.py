"""The commands as a person and a program use them: JSON shapes, exit codes, errors with hints, nothing changed."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from learners import Learner
from store import read_export
from tests.world import World

WINDOWED = '[validation]\nmetrics = ["Accuracy", "F1", "ROCAUC"]\nwindow = 100\n[snapshots]\nevery_events = 300'


def stream(count: int, seed: int = 1) -> list[bytes]:
    source = random.Random(seed)
    made = []
    for _ in range(count):
        a, b = source.gauss(0, 1), source.uniform(0, 9)
        made.append(json.dumps({"a": a, "b": b, "y": a > b - 4}).encode())
    return made


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A model with four versions after genesis, two held events."""
    world = World(tmp_path_factory.mktemp("trained"))
    lines = stream(1000)
    lines[10:10] = [b"garbage"]
    lines[700:700] = [b'{"a": 1e999}']
    world.write_events("events.jsonl", lines)
    world.configure(log="file:events.jsonl", more=WINDOWED)
    world.train()
    return world


def test_show(trained: World) -> None:
    shown = trained.json("show", "head")
    assert {
        "version": 5,
        "parent": 4,
        "refs": ["head"],
        "position": {"events": {"0": 1002}},
        "events": {"read": 1002, "learned": 1000, "held": 2, "pending": 0, "expired": 0},
    }.items() <= shown.items()
    assert set(shown["scores"]) == {"Accuracy", "F1", "ROCAUC"}
    assert set(shown["scores"]["Accuracy"]) == {"cumulative", "window", "since_last", "low", "high"}
    assert shown["scores"]["ROCAUC"]["cumulative"] is None
    assert 0.9 < shown["scores"]["ROCAUC"]["window"] <= 1
    assert set(shown["baselines"]) == {"NoChange", "Prior"}
    assert {"python", "river", "numpy", "platform"} <= set(shown["environment"])
    assert trained.json("show", "4")["segment"]["held"] == {"not_finite": 1}
    assert "held" in trained.run("show", "head").stdout


def test_log(trained: World) -> None:
    versions = trained.json("log")
    assert [version["learned"] for version in versions] == [0, 299, 599, 898, 1000]
    assert [version["version"] for version in versions] == [1, 2, 3, 4, 5]
    assert {"version", "parent", "refs", "learned", "created_at", "reason"} <= set(versions[0])
    assert versions[-1]["refs"] == ["head"]
    assert "genesis" in trained.run("log").stdout


def test_scores(trained: World) -> None:
    points = trained.json("scores")
    assert [point["events"] for point in points] == list(range(100, 1001, 100))
    assert set(points[0]) == {"events", "version", "clock_us", "scores", "baselines"}
    table = list(csv.DictReader(io.StringIO(trained.run("scores", "--csv").stdout)))
    assert [float(line["Accuracy_window"]) for line in table] == [p["scores"]["Accuracy"]["window"] for p in points]
    assert len(trained.json("scores", "3")) == 5


def test_diff(trained: World) -> None:
    found = trained.json("diff", "2", "head")
    assert (found["from"], found["to"], found["common_ancestor"]) == (2, 5, 2)
    assert found["learned"] == {"from": 299, "to": 1000}
    assert found["changed"] == {}


def test_status_and_runs(trained: World) -> None:
    status = trained.json("status")
    assert {"state", "head", "lag", "events_per_s", "head_age_s"} <= set(status)
    assert (status["state"], status["head"], status["lag"]) == ("stopped", 5, 0)
    trained.run("status", "--check", code=1)
    (run,) = [run for run in trained.json("runs") if run["command"] == "train"]
    assert run["outcome"] == "done"
    assert run["result"] == {"head": 5, "read": 1002, "learned": 1000, "engine": "compiled"}


def test_verify_every_version(trained: World) -> None:
    found = trained.json("verify", "all")
    assert [(each["version"], each["equal"], each["why"]) for each in found] == [(v, True, None) for v in range(1, 6)]
    assert set(trained.json("verify", "5")) >= {"version", "equal", "events", "why"}


def test_predict_learns_nothing_and_names_what_was_held(trained: World) -> None:
    before = trained.json("show", "head")
    table = list(csv.DictReader(io.StringIO(trained.run("predict", "head", "events.jsonl").stdout)))
    assert [int(line["offset"]) for line in table] == list(range(1002))
    assert [line["held"] for line in table if line["held"]] == ["not_json", "not_finite"]
    assert set(json.loads(table[0]["probabilities"])) == {"true", "false"}
    assert {line["y_pred"] for line in table} == {"true", "false", ""}
    lines = trained.run("predict", "head", "events.jsonl", "--jsonl").stdout.splitlines()
    assert json.loads(lines[0])["probabilities"] == json.loads(table[0]["probabilities"])
    assert trained.json("show", "head") == before


def test_predict_without_labels(trained: World) -> None:
    unlabeled = [json.dumps({k: v for k, v in json.loads(line).items() if k != "y"}).encode() for line in stream(20)]
    trained.write_events("unlabeled.jsonl", unlabeled)
    lines = trained.run("predict", "3", "unlabeled.jsonl", "--jsonl").stdout.splitlines()
    assert [json.loads(line)["held"] for line in lines] == [None] * 20


def test_export_loads_without_trainer(trained: World) -> None:
    trained.run("export", "head", "model.tidemark")
    export = read_export(trained.folder / "model.tidemark")
    learner = Learner.restore(export.state, export.about["golden"])
    trained.write_events("one.jsonl", stream(1))
    (first,) = trained.run("predict", "head", "one.jsonl", "--jsonl").stdout.splitlines()
    event = json.loads(stream(1)[0])
    assert learner.predict_one(event).y_pred == json.loads(first)["y_pred"]
    damaged = bytearray((trained.folder / "model.tidemark").read_bytes())
    damaged[-100] ^= 1
    (trained.folder / "damaged").write_bytes(damaged)
    with pytest.raises(Exception, match="damaged bytes"):
        read_export(trained.folder / "damaged")


def test_promote_and_rollback_of_champion(trained: World) -> None:
    assert trained.json("promote", "3", "--reason", "good") == {"ref": "champion", "from": None, "to": 3}
    assert trained.json("promote", "4")["from"] == 3
    moved = trained.json("rollback", "3", "--ref", "champion", "--reason", "bad")
    assert (moved["from"], moved["to"]) == (4, 3)
    assert trained.json("show", "champion")["version"] == 3
    assert trained.json("rollback", "--undo", "--ref", "champion")["to"] == 4


def test_doctor(trained: World) -> None:
    checks = {check["check"]: check for check in trained.json("doctor")}
    assert all(check["well"] is not False for check in checks.values()), checks
    assert "a rebuild is possible from version 1 (" in checks["retention"]["found"]
    assert checks["retention"]["found"].endswith("ago) on: the log has everything")
    assert not checks["retention"]["warns"]


def test_training_on_reads_only_what_is_new(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = world.write_events("events.jsonl", stream(500))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    assert world.train()["learned"] == 500
    assert world.train()["learned"] == 500
    with path.open("ab") as out:
        out.write(b"\n".join(stream(100, seed=2)))  # the last line has no newline: it counts at the end
    assert world.train()["learned"] == 600
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_skip_lists_what_it_skipped(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(1000))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    world.train()
    before = world.json("show", "3")
    moved = world.json("rollback", "3", "--skip", "--reason", "poison")
    assert moved["skipped"] == [{"partition": 0, "start": 600, "stop": 1000}]
    head = world.json("show", "head")
    assert (head["kind"], head["parent"], head["position"]) == ("skip", 3, {"events": {"0": 1000}})
    assert head["events"] == before["events"]
    assert head["scores"] == before["scores"]
    assert head["segment"]["skipped"][0]["stop"] == 1000
    assert world.train()["learned"] == 600
    assert world.json("verify", "head")["equal"] is True
    assert [point["events"] for point in world.json("scores")] == list(range(100, 601, 100))
    assert world.json("rollback", "--undo")["to"] == 5
    assert world.json("show", "head")["events"]["learned"] == 1000


def test_rewound_and_trained_again_equals_never_rolled_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(1000))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    world.train()
    first = world.json("show", "head")
    world.run("rollback", "2", "--rewind")
    world.train()
    again = world.json("show", "head")
    assert again["version"] > first["version"]
    for key in ("scores", "baselines", "events", "position"):
        assert again[key] == first[key]
    world.run("rollback", "4", "--rewind", code=0)  # abandoned, but head has been there
    world.run("rollback", "99", code=2)


def test_expire_keeps_what_is_known_and_rollback_replays(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(3000))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    world.train()
    count = len(world.json("log"))
    would = world.json("expire", "--keep-last", "2", "--dry-run")["expired"]
    assert would == list(range(2, count - 1))
    assert world.json("expire", "--keep-last", "2")["expired"] == would
    assert [v["version"] for v in world.json("log") if not v["has_bytes"]] == would
    assert all(each["equal"] for each in world.json("verify", "all"))
    shown = world.json("show", "5")
    moved = world.json("rollback", "5", "--rewind")
    assert moved["to"] == 5
    assert world.json("log")[4]["has_bytes"]
    assert world.json("show", "5")["scores"] == shown["scores"]
    world.train()
    assert world.json("verify", "head")["equal"] is True


def test_publish_moves_champion_by_itself(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(1000))
    world.configure(log="file:events.jsonl", more=f"{WINDOWED}\n[publish]\nevery_events = 600")
    world.train()
    model = world.open()
    moves = [(move.kind, model.version(move.new).accounts.learned) for move in model.moves("champion")]
    assert moves == [("publish", 600)]


HEAVY = {"river", "scipy", "numpy", "numba", "sqlalchemy", "confluent_kafka", "msgspec"}
LEARN = [["train"], ["verify", "all"], ["predict", "head", "x"], ["backtest"], ["rebuild"], ["bisect"]]


def run_script(folder: Path, text: str) -> None:
    """Run a script in a process of its own, with this project and without a hash seed; expect it to end well."""
    (folder / "script.py").write_text(f"{text}\nassert not (heavy := {HEAVY} & set(sys.modules)), heavy\n")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, check=False, env=environ
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("command", [["--help"], ["train", "--help"], ["db", "--help"]])
def test_help_needs_nothing_that_takes_long_to_import(tmp_path: Path, command: list[str]) -> None:
    run_script(tmp_path, f"import sys; from stream.cli import app\ntry: app({command!r})\nexcept SystemExit: pass")


@pytest.mark.parametrize("command", LEARN)
def test_the_hash_seed_is_pinned_before_anything_is_imported_that_takes_long(
    tmp_path: Path, command: list[str]
) -> None:
    run_script(
        tmp_path,
        "import os, sys; from stream.cli import app\n"
        "class Pinned(BaseException): pass\n"
        "def execve(path, arguments, environ): raise Pinned(environ['PYTHONHASHSEED'])\n"
        "os.execve = execve\n"
        f"try: app({command!r})\nexcept Pinned as seed: assert str(seed) == '0'\nelse: raise AssertionError",
    )


BAD_CONFIGURATIONS = {
    "unknown key": ("more", "[snapshots]\nevery_event = 3", "did you mean `every_events`"),
    "unknown table": ("more", "[snapshot]\nevery = '1s'", "snapshot: unknown key"),
    "wrong type": ("more", '[snapshots]\nevery_events = "many"', "snapshots.every_events"),
    "no such class": ("learner", "linear_model.LogisticRegresion()", "LogisticRegression"),
    "not notation": ("learner", "__import__('os').system('true')", "river's notation"),
    "unseeded": ("learner", "forest.ARFClassifier()", "seed"),
    "wrong task": ("learner", "linear_model.LinearRegression()", "needs a classifier"),
    "unknown metric": ("more", '[validation]\nmetrics = ["Accuraci"]', "Accuracy"),
    "target missing everywhere": ("target", "label", 'expected the target "label"'),
    "no file": ("log", "file:nothing.jsonl", "nothing.jsonl"),
    "no scheme": ("log", "events.jsonl", "kafka://"),
}


@pytest.mark.parametrize("case", BAD_CONFIGURATIONS)
def test_bad_configuration_is_refused_and_changes_nothing(tmp_path: Path, case: str) -> None:
    key, value, told = BAD_CONFIGURATIONS[case]
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(50))
    world.configure(**{"log": "file:events.jsonl", key: value})
    before = sorted(path.name for path in tmp_path.iterdir())
    done = world.run("train", "--until-end", code=2)
    assert told in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


SILENT_MISTAKES = {
    "labels are no truths": ([b'{"a": 1, "y": "UP"}', b'{"a": 2, "y": "DOWN"}'], "", "[model] positive"),
    "minus one and one": ([b'{"a": 1, "y": 1}', b'{"a": 2, "y": -1}'], "", "[model] positive"),
    "positive with a typo": ([b'{"a": 1, "y": "Yes"}', b'{"a": 2, "y": "No"}'], 'positive = "yes"', "'Yes', 'No'"),
    "all would be held": ([b'{"a": 1, "y": true}', b'{"a": 2, "y": false}'], "", "would be held"),
    "nothing can be read": ([b"garbage", b"{"], "", "can be read as JSON"),
}


@pytest.mark.parametrize("case", SILENT_MISTAKES)
def test_mistakes_that_would_train_nothing_are_told(tmp_path: Path, case: str) -> None:
    events, model, told = SILENT_MISTAKES[case]
    world = World(tmp_path)
    world.write_events("events.jsonl", events * 1500)
    more = "[schema]\nzz = { type = 'number', required = true }" if case == "all would be held" else ""
    world.configure(log="file:events.jsonl", model=model, more=more)
    done = world.run("train", "--until-end", code=2)
    assert told in done.stderr
    assert not (tmp_path / "tidemark.db").exists()


def test_garbage_before_the_first_good_event_is_held(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", [b"garbage"] * 1200 + stream(500))
    world.configure(log="file:events.jsonl", more="[gate]\nbreaker = false")
    assert world.train() == {**world.train(), "read": 1700, "learned": 500, "held": 1200}


def test_verify_judges_with_the_record_not_with_todays_gate(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(500))
    world.configure(log="file:events.jsonl")
    world.train()
    world.configure(log="file:events.jsonl", more="[gate]\nbound = 2.0")
    assert all(each["equal"] for each in world.json("verify", "all"))
    world.train()


def test_a_log_that_is_gone_or_another_cannot_be_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = world.write_events("events.jsonl", stream(100))
    world.configure(log="file:events.jsonl")
    world.train()
    world.write_events("others.jsonl", stream(100))
    world.configure(log="file:others.jsonl")
    assert world.json("verify", "head")["equal"] is None
    path.unlink()
    world.configure(log="file:events.jsonl")
    assert world.json("verify", "head")["equal"] is None


def test_a_skip_that_expired_is_proved_after_it_came_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(1500))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    world.train()
    skip = world.json("rollback", "3", "--skip")["to"]
    world.write_events("events.jsonl", [*stream(1500), *stream(1500, seed=2)])
    world.train()
    assert skip in world.json("expire", "--keep-last", "1")["expired"]
    world.run("rollback", str(skip))
    assert world.json("verify", str(skip))["equal"] is True
    world.json("expire", "--keep-last", "1")
    moved = world.json("rollback", "--undo")
    assert moved["kind"] == "undo"
    world.run("rollback", "2", "--ref", "champoin", code=2)
    kinds = [move["kind"] for move in world.json("log", "--moves")]
    assert kinds[:3] == ["undo", "rewind", "save"]


def test_a_recipe_that_pickle_cannot_name_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "unnamed.py").write_text(
        "from river import compose, linear_model\n"
        "def make(): return compose.FuncTransformer(lambda x: x) | linear_model.LogisticRegression()\n"
    )
    world.write_events("events.jsonl", stream(50))
    world.configure(log="file:events.jsonl", learner="unnamed:make")
    assert "no lambdas" in world.run("train", "--until-end", code=1).stderr


def test_as_a_person_runs_it_with_any_hash_seed(tmp_path: Path) -> None:
    """The real program, several processes, PYTHONHASHSEED unset: train pins it, and rollback does not spoil it."""
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(700))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    free = {key: value for key, value in os.environ.items() if key != "PYTHONHASHSEED"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "stream.cli", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=free, capture_output=True, text=True, check=True)
        return done.stdout

    run("train", "--until-end")
    run("rollback", "2", "--skip")
    run("train", "--until-end")
    assert json.loads(run("verify", "head", "--json"))["equal"] is True
    assert json.loads(run("show", "head", "--json"))["environment"]["hash_seed"] == "0"


def test_a_model_with_versions_rewound_to_genesis_is_not_made_anew(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(500))
    world.configure(log="file:events.jsonl")
    world.train()
    world.run("rollback", "1", "--rewind", "--reason", "[/x] oops [bold]")
    world.configure(log="file:events.jsonl", more='[validation]\nmetrics = ["Recall"]')
    world.run("train", "--until-end", code=2)
    assert "[/x] oops [bold]" in world.run("log", "--moves").stdout


def test_one_bad_event_first_with_a_declared_schema(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", [b'{"a": "x", "b": 1, "y": true}'] * 300 + stream(500))
    world.configure(
        log="file:events.jsonl",
        more='[schema]\na = { type = "number" }\nb = { type = "number" }\n[gate]\nbreaker = false',
    )
    assert world.train()["held"] == 300


CHANGES = {
    "learner": ("learner", "linear_model.LogisticRegression(optimizer=optim.SGD(0.5))"),
    "window": ("more", "[validation]\nwindow = 7"),
    "metrics": ("more", '[validation]\nmetrics = ["Recall"]'),
    "ignore": ("more", 'ignore = ["a"]'),
    "schema": ("more", '[schema]\na = { type = "number" }'),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_recipe_is_refused_for_a_model_with_versions(tmp_path: Path, case: str) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(50))
    world.configure(log="file:events.jsonl")
    world.train()
    key, value = CHANGES[case]
    world.configure(**{"log": "file:events.jsonl", key: value})
    done = world.run("train", "--until-end", code=2)
    assert "changed, but the model has versions" in done.stderr
    assert len(world.json("log")) == 2


def test_a_recipe_spelt_otherwise_is_the_same(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(50))
    world.configure(log="file:events.jsonl", more="[snapshots]\nevery_events = 10")
    world.train()
    other = "compose.Pipeline(preprocessing.StandardScaler(),\n linear_model.LogisticRegression(optim.SGD(lr=5e-3)))"
    world.configure(log="file:events.jsonl", learner=other, more="[snapshots]\nevery_events = 20")
    assert world.train()["learned"] == 50


def damage(world: World, statement: str) -> None:
    with sqlite3.connect(world.folder / "tidemark.db") as connection:
        connection.execute(statement)
    connection.close()


@pytest.fixture
def small(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(50))
    world.configure(log="file:events.jsonl")
    world.train()
    return world


def test_damaged_bytes_are_refused(small: World) -> None:
    with sqlite3.connect(small.folder / "tidemark.db") as connection:
        for sha, envelope in connection.execute("SELECT sha256, envelope FROM blobs").fetchall():
            flipped = envelope[:-9] + bytes([envelope[-9] ^ 1]) + envelope[-8:]
            connection.execute("UPDATE blobs SET envelope = ? WHERE sha256 = ?", (flipped, sha))
    connection.close()
    done = small.run("train", "--until-end", code=1)
    assert "damaged" in done.stderr
    assert small.json("verify", "2", code=1)["equal"] is False


def test_a_newer_store_is_refused(small: World) -> None:
    damage(small, "UPDATE tidemark_schema SET version_num = '9999'")
    assert "newer" in small.run("train", "--until-end", code=2).stderr
    small.run("log", code=2)


def test_other_libraries_are_refused_unless_accepted(small: World) -> None:
    damage(small, """UPDATE versions SET environment = replace(environment, '0.26.1', '0.25.0')""")
    done = small.run("train", "--until-end", code=2)
    assert "river 0.25.0 then, 0.26.1 now" in done.stderr
    assert small.json("verify", "2")["equal"] is None
    small.run("train", "--until-end", "--accept-environment")


def test_another_file_in_its_place_is_refused(small: World) -> None:
    small.write_events("events.jsonl", stream(80, seed=9))
    done = small.run("train", "--until-end", code=3)
    assert "hint: " in done.stderr
    assert len(small.json("log")) == 2


def test_no_store_and_no_configuration(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert "expected a configuration file" in world.run("log", code=2).stderr
    world.write_events("events.jsonl", stream(3))
    world.configure(log="file:events.jsonl")
    assert "expected a store" in world.run("log", code=2).stderr
    world.configure(log="file:events.jsonl", store="postgresql+psycopg://nobody@127.0.0.1:1/none")
    world.run("log", code=5)
    world.run("nonsense", code=2)
    world.run("rollback", code=2)
