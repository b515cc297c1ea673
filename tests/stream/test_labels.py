"""Labels that come later, in one log: equal to river's own simulation, killed and rolled back in the middle of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from river import dummy, evaluate, linear_model, metrics, optim, preprocessing

from stream.times import microseconds
from tests.simulation import life
from tests.world import World, end, read_csv, until

LABELS = '[labels]\nmoment = "known_at"'
WINDOWED = '[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n[snapshots]\nevery_events = 300'
RECIPE = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
pytestmark = pytest.mark.usefixtures("compiled_code")


def events(count: int, seed: int) -> list[dict[str, Any]]:
    """Return events with a time of their own and a label known later: ties, no delay at all, long delays."""
    source, now, made = random.Random(seed), 1_000, []
    for _ in range(count):
        now += source.choice([0, 1, 2, 5])
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        delay = source.choice([0, 0, 1, 3, 50, 50, 400])
        made.append({"at": now, "a": a, "b": b, "known_at": now + delay, "y": a + source.gauss(0, 0.4) > b})
    return made


def river_says(made: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Run river's simulation over the same events: Accuracy and LogLoss of the model and of its dummies."""
    found = {}
    for name, model in {
        "model": preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05)),
        "NoChange": dummy.NoChangeClassifier(),
        "Prior": dummy.PriorClassifier(),
    }.items():
        metric = metrics.Accuracy() + metrics.LogLoss()
        delays = iter([event["known_at"] - event["at"] for event in made])
        stream = [({"at": float(e["at"]), "a": e["a"], "b": e["b"]}, e["y"]) for e in made]
        evaluate.progressive_val_score(stream, model, metric, moment="at", delay=lambda x, y, d=delays: next(d))
        found[name] = metric.get()
    return found


def world_of(folder: Path, made: list[Any], more: str = LABELS) -> World:
    world = World(folder)
    world.write_events("events.jsonl", made)
    world.configure(log="file:events.jsonl", learner=RECIPE, more=f'moment = "at"\n{more}\n{WINDOWED}')
    return world


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scores_are_those_of_rivers_simulation(tmp_path: Path, seed: int) -> None:
    made = events(1500, seed)
    world = world_of(tmp_path, made)
    world.train()
    before = world.json("show", "head")
    assert before["events"]["pending"] > 0
    assert before["engine"] == world.json("status")["engine"] == "compiled"
    assert before["events"]["read"] == sum(before["events"][key] for key in ("learned", "held", "pending", "expired"))
    world.train("--close")
    closed = world.json("show", "head")
    assert (closed["kind"], closed["parent"]) == ("closing", before["version"])
    assert closed["events"] == {"read": 1500, "learned": 1500, "held": 0, "pending": 0, "expired": 0}
    for name, (accuracy, loss) in river_says(made).items():
        scores = closed["scores"] if name == "model" else closed["baselines"][name]
        assert scores["Accuracy"]["cumulative"] == pytest.approx(accuracy, abs=1e-12)
        assert scores["LogLoss"]["cumulative"] == pytest.approx(loss, abs=1e-12)
    assert [each["equal"] for each in world.json("verify", "all")] == [True] * closed["version"]
    assert world.json("scores")[-1]["events"] == 1500


def test_training_never_goes_on_from_a_closing_version(tmp_path: Path) -> None:
    made = events(1000, 4)
    world = world_of(tmp_path / "closed", made[:600])
    world.train("--close")
    closing = world.json("show", "head")
    world.write_events("events.jsonl", made)
    world.train("--close")
    calm = world_of(tmp_path / "calm", made)
    calm.train("--close")
    shown, clean = world.json("show", "head"), calm.json("show", "head")
    assert shown["scores"]["LogLoss"]["cumulative"] == clean["scores"]["LogLoss"]["cumulative"]
    assert shown["events"] == clean["events"]
    (move,) = [move for move in world.json("log", "--moves") if move["kind"] == "reopen"]
    assert (move["old"], move["new"]) == (closing["version"], closing["parent"])


def test_kills_and_a_rollback_in_the_middle_of_pending_labels(tmp_path: Path) -> None:
    made = events(6000, 5)
    calm, killed = world_of(tmp_path / "calm", made), world_of(tmp_path / "killed", made)
    life.kill_often(killed.config, 8, seed=6, within_s=0.08)
    killed.train()
    assert killed.json("show", "4")["events"]["pending"] > 0
    killed.run("rollback", "4", "--rewind")
    killed.train("--close")
    calm.train("--close")
    shown, clean = killed.json("show", "head"), calm.json("show", "head")
    assert shown["events"] == clean["events"]
    for metric, score in clean["scores"].items():
        assert shown["scores"][metric]["cumulative"] == score["cumulative"]
    assert all(each["equal"] for each in killed.json("verify", "all"))


def test_labels_that_never_come_expire_or_are_taken_for_the_default(tmp_path: Path) -> None:
    made = events(1000, 7)
    unknown = [{**e, "y": None} if i % 10 == 0 else e for i, e in enumerate(made)]
    unknown = [{**e, "known_at": ""} if i % 10 == 5 else e for i, e in enumerate(unknown)]
    dropped = world_of(tmp_path / "dropped", unknown, f'{LABELS}\ntimeout = "100s"')
    dropped.train("--close")
    found = dropped.json("show", "head")["events"]
    late = sum(e["known_at"] - e["at"] > 100 for i, e in enumerate(made) if i % 10 not in (0, 5))
    assert found["learned"] == 1000 - 200 - late
    assert found["learned"] + found["expired"] + found["pending"] == 1000
    taken = world_of(tmp_path / "taken", unknown, f'{LABELS}\ntimeout = "100s"\ndefault = false')
    taken.train("--close")
    assert taken.json("show", "head")["events"]["learned"] == 1000
    few = world_of(tmp_path / "few", made, f"{LABELS}\npending_max = 5")
    few.train("--close")
    found = few.json("show", "head")["events"]
    assert found["expired"] > 0
    assert found["learned"] + found["expired"] == 1000


BAD_TIMES = {
    "before its question": ({"at": 2000, "known_at": 1999}, "label_before_event"),
    "no time": ({"at": None, "known_at": 2000}, "time_missing"),
    "not a time": ({"at": "yesterday", "known_at": 2000}, "time_type"),
    "label time not a time": ({"at": 2000, "known_at": "later"}, "time_type"),
    "label time true": ({"at": 2000, "known_at": True}, "time_type"),
    "label time far out": ({"at": 2000, "known_at": 1e300}, "time_type"),
    "label time of 400 digits": ({"at": 2000, "known_at": 10**400}, "time_type"),
}


@pytest.mark.parametrize("case", BAD_TIMES)
def test_bad_times_are_held(tmp_path: Path, case: str) -> None:
    changed, reason = BAD_TIMES[case]
    good = events(200, 8)
    world = world_of(tmp_path, [*good[:100], {**good[100], **changed}, *good[100:]])
    world.train("--close")
    assert world.json("show", "head")["events"]["learned"] == 200
    (held,) = world.open().held()
    assert (held.offset, held.reason) == (100, reason)


def test_a_clock_that_jumps_back_is_asked_at_the_clock(tmp_path: Path) -> None:
    made = events(300, 9)
    made[200]["at"] -= 500
    world = world_of(tmp_path, made)
    world.train("--close")
    assert world.json("show", "head")["events"]["learned"] == 300


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2016-04-01T00:00:07Z", 1459468807_000_000),
        ("2016-04-01T02:00:07+02:00", 1459468807_000_000),
        ("2016-04-01 00:00:07", 1459468807_000_000),
        (1459468807, 1459468807_000_000),
        (0.25, 250_000),
    ],
)
def test_times_are_utc_microseconds(value: Any, expected: int) -> None:
    assert microseconds("at", value) == expected


BIKES = "compose.Select('clouds', 'humidity', 'pressure', 'temperature', 'wind') | preprocessing.StandardScaler() | "


@pytest.mark.slow
@pytest.mark.parametrize("unsupervised", ["label", "question"])
def test_bikes_with_a_delay_equal_river_on_real_data(tmp_path: Path, shared_data: Path, unsupervised: str) -> None:
    """20,000 real events, 30 minutes late: both semantics of unsupervised parts, against river's own simulation."""
    import datetime as dt  # noqa: PLC0415

    from river import compose  # noqa: PLC0415

    lines = read_csv(shared_data / "bikes_toulouse.csv.gz")[:20_000]
    made, stream = [], []
    for line in lines:
        x = {key: float(line[key]) for key in ("clouds", "humidity", "pressure", "temperature", "wind")}
        at = dt.datetime.fromisoformat(line["moment"])
        known = at + dt.timedelta(minutes=30)
        made.append(json.dumps({**x, "at": at.isoformat(), "known_at": known.isoformat(), "bikes": int(line["bikes"])}))
        stream.append(({**x, "at": at}, float(line["bikes"])))
    model = compose.Select(*list(x)) | preprocessing.StandardScaler() | linear_model.LinearRegression(optim.SGD(0.001))
    metric = metrics.MAE()
    delay = dt.timedelta(minutes=30)
    if unsupervised == "question":
        with compose.learn_during_predict():
            evaluate.progressive_val_score(stream, model, metric, moment="at", delay=delay)
    else:
        evaluate.progressive_val_score(stream, model, metric, moment="at", delay=delay)
    world = World(tmp_path)
    world.write_events("bikes.jsonl", [line.encode() for line in made])
    world.configure(
        log="file:bikes.jsonl",
        task="regression",
        target="bikes",
        learner=BIKES + "linear_model.LinearRegression(optim.SGD(0.001))",
        more=f'moment = "at"\n{LABELS}\n[validation]\nmetrics = ["MAE"]\nunsupervised = "{unsupervised}"',
    )
    world.train("--close")
    found = world.json("show", "head")
    assert found["events"]["learned"] == 20_000
    assert found["scores"]["MAE"]["cumulative"] == pytest.approx(metric.get(), abs=1e-9)


def test_a_model_that_raises_on_a_pending_label_goes_on_without_that_event(tmp_path: Path) -> None:
    (tmp_path / "brittle.py").write_text(
        "from river import linear_model\n"
        "class Brittle(linear_model.LogisticRegression):\n"
        "    def learn_one(self, x, y):\n"
        "        if x['a'] > 90: raise OverflowError('too much')\n"
        "        super().learn_one(x, y)\n"
        "def make(): return Brittle()\n"
    )
    made = events(400, 11)
    made[300]["a"] = 100.0
    world = World(tmp_path)
    world.write_events("events.jsonl", made)
    world.configure(log="file:events.jsonl", learner="brittle:make", more=f'moment = "at"\n{LABELS}\n{WINDOWED}')
    told = world.train("--close")
    assert (told["read"], told["learned"], told["held"] + told["expired"], told["pending"]) == (400, 399, 1, 0)
    assert {each["equal"] for each in world.json("verify", "all")} == {True}


def test_a_closing_version_without_bytes_is_proved_and_none_skips_to_it(tmp_path: Path) -> None:
    made = events(1200, 12)
    world = world_of(tmp_path, made[:600])
    world.train("--close")
    closing = world.json("show", "head")["version"]
    world.write_events("events.jsonl", made)
    world.train("--close")
    assert closing in world.json("expire", "--keep-last", "1")["expired"]
    assert all(each["equal"] for each in world.json("verify", "all"))
    done = world.run("rollback", str(closing), "--skip", code=2)
    assert "skip to its parent" in done.stderr
    world.run("rollback", str(closing))
    assert world.json("verify", str(closing))["equal"] is True


def test_a_running_trainer_that_is_rewound_to_a_closing_version_goes_on_from_its_parent(tmp_path: Path) -> None:
    made = events(900, 13)
    world = world_of(tmp_path, made[:600])
    world.train("--close")
    closing = world.json("show", "head")
    world.write_events("events.jsonl", made)
    trainer = world.start("train")
    model = world.open()
    until(lambda: (b := model.heartbeat()) is not None and b.state == "idle" and b.read == 900, process=trainer)
    moves = len(model.moves("head"))
    world.run("rollback", str(closing["version"]), "--rewind")
    until(lambda: len(model.moves("head")) >= moves + 2, process=trainer)
    until(lambda: (b := model.heartbeat()) is not None and b.state == "idle" and b.read == 900, process=trainer)
    end(trainer)
    lineage = [version.kind for version in model.lineage(model.head()[0].version)]
    assert "closing" not in lineage
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_training_goes_on_after_close_and_expire(tmp_path: Path) -> None:
    made = events(1200, 14)
    world = world_of(tmp_path, made[:900])
    world.train("--close")
    world.json("expire", "--keep-last", "1")
    world.write_events("events.jsonl", made)
    assert world.train()["read"] == 1200


def test_rare_bad_events_with_labels_far_ahead_do_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "brittle.py").write_text(
        "from river import linear_model\n"
        "class Brittle(linear_model.LogisticRegression):\n"
        "    def predict_proba_one(self, x):\n"
        "        if x['a'] > 90: raise OverflowError('too much')\n"
        "        return super().predict_proba_one(x)\n"
        "def make(): return Brittle()\n"
    )
    made = [{**e, "known_at": e["at"] + 10**6} for e in events(1500, 15)]
    for place in range(50, 1500, 100):
        made[place]["a"] = 100.0
    world = World(tmp_path)
    world.write_events("events.jsonl", made)
    world.configure(log="file:events.jsonl", learner="brittle:make", more=f'moment = "at"\n{LABELS}\n{WINDOWED}')
    world.train()
    found = world.json("show", "head")["events"]
    assert found == {"read": 1500, "learned": 0, "held": 15, "pending": 1485, "expired": 0}
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_one_time_far_ahead_is_held(tmp_path: Path) -> None:
    made = events(800, 16)
    far = {**made[100], "at": 253402300000, "known_at": 253402300009}
    calm, world = world_of(tmp_path / "calm", made), world_of(tmp_path / "ahead", [*made[:100], far, *made[100:]])
    calm.train("--close")
    world.train("--close")
    found, clean = world.json("show", "head"), calm.json("show", "head")
    assert [held.reason for held in world.open().held()] == ["time_ahead"]
    assert found["scores"]["LogLoss"]["cumulative"] == clean["scores"]["LogLoss"]["cumulative"]
    assert all(each["equal"] for each in world.json("verify", "all"))
