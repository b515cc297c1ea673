"""`train --from V`: a version that was saved beside head is taken up where it ended; numbers are river's own."""

from __future__ import annotations

import json
import random
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from river import linear_model, metrics, naive_bayes, optim, preprocessing

from learners import read_recipe
from store import ModelStore, Version
from store.types import NewVersion
from stream.config import Config, read_config
from stream.draft import new_version
from stream.environment import environment
from stream.gate import open_gate
from stream.genesis import genesis, settle_schema, start_of, untrained
from stream.log import within
from stream.schema import Schema
from stream.segment import OpenSegment
from stream.sources import open_feed
from stream.stop import Stop
from tests.world import ELEC2, World, end, until

BAYES = "naive_bayes.GaussianNB()"
SAVES = "[snapshots]\nevery_events = 200"


def stream(count: int, seed: int = 1) -> list[dict[str, Any]]:
    source = random.Random(seed)
    made = []
    for _ in range(count):
        a, b = source.gauss(0, 1), source.uniform(0, 9)
        made.append({"a": a, "b": b, "y": a + source.gauss(0, 1) > b - 4})
    return made


def bare(model: Any, events: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the scores of a bare river loop over all of them."""
    accuracy, loss = metrics.Accuracy(), metrics.LogLoss()
    for event in events:
        x = {"a": event["a"], "b": event["b"]}
        answer = model.predict_proba_one(x)
        if answer:
            accuracy.update(event["y"], max(answer, key=answer.__getitem__))
            loss.update(event["y"], answer)
        model.learn_one(x, event["y"])
    return {"Accuracy": accuracy.get(), "LogLoss": loss.get()}


def setting(learner: str = ELEC2, more: str = SAVES) -> dict[str, str]:
    return {
        "log": "file:events.jsonl",
        "learner": learner,
        "more": f'[validation]\nmetrics = ["Accuracy", "LogLoss"]\n{more}',
    }


def in_bulk(world: World, learner: str, stop: int, *, model: ModelStore | None = None, kind: Any = "save") -> Version:
    """Learn the log's first events in bulk, by another recipe from its own genesis on; save that beside head."""
    model = model or world.open()
    config = read_config(world.config)
    config = config.model_copy(update={"model": config.model.model_copy(update={"learner": learner})})
    recipe = read_recipe(learner, "binary")
    with closing(open_feed(config, until_end=True, group="bulk")) as feed:
        start = start_of(feed, config)
        schema = settle_schema(feed, config, start, Stop(), until_end=True, tell=lambda _: None)
        assert schema is not None
        first = replace(genesis(config, recipe, schema, start, 0), run=None)
        (base,) = model.save_beside([first], "ann")
        return model.save_beside([learned(config, feed, schema, base, recipe, stop, kind)], "ann")[0]


def learned(config: Config, feed: Any, schema: Schema, base: Version, recipe: Any, stop: int, kind: Any) -> NewVersion:
    learner, gate = untrained(config, recipe, schema), open_gate(feed, config, schema, live=True)
    feed.seek(base.position)
    segment = OpenSegment.after(feed.topics, base)
    while segment.records < stop:
        batch = within(feed.poll(0.5, 100), {0: stop})
        verdicts = gate.judge(batch)
        verdicts.teach(learner)
        segment.extend(batch, verdicts, learner)
    gate.memory.write(learner.beside)
    made = new_version(learner, segment, None, config.hash, "learned in bulk", kind)
    return replace(made, token=uuid.uuid4().hex, environment=environment())


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A model that was trained live by a linear recipe over 600 of 1,500 events; the rest comes later."""
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(1500)[:600])
    world.configure(**setting())
    world.train()
    world.write_events("events.jsonl", stream(1500))
    return world


def told(world: World, *arguments: str, code: int) -> str:
    return world.run("train", "--until-end", *arguments, code=code).stderr


def cumulative(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {name: score["cumulative"] for name, score in scores.items()}


def test_history_in_bulk_then_live_is_one_loop_over_all(world: World) -> None:
    before = world.json("show", "head")
    branch = in_bulk(world, BAYES, 1000)
    assert world.json("show", "head") == before, "nobody trains it yet"
    world.configure(**setting(BAYES))
    done = world.train("--from", str(branch.version))
    assert (done["read"], done["learned"]) == (1500, 1500)
    assert cumulative(done["scores"]) == bare(naive_bayes.GaussianNB(), stream(1500))
    model = world.open()
    (move,) = [move for move in model.moves("head") if move.kind == "adopt"]
    assert (move.old, move.new) == (before["version"], branch.version)
    assert move.who
    assert "training goes on from version" in move.why
    line = model.lineage(done["head"])
    assert [v.kind for v in line[:2]] == ["genesis", "save"]
    assert (line[0].version, line[1].version) == (branch.parent, branch.version)
    read = [(run.start, run.stop) for v in line for run in model.segment(v.version).runs]
    assert [start for start, _ in read] == [0, *(stop for _, stop in read[:-1])], "no gap, and nothing twice"
    assert read[-1][1] == 1500
    assert {v.identity for v in line} == {branch.identity}
    assert all(each["equal"] for each in world.json("verify", "all"))
    assert world.json("doctor")


def test_taken_up_once_it_is_not_taken_up_again(world: World) -> None:
    branch = in_bulk(world, BAYES, 800)
    world.configure(**setting(BAYES))
    world.train("--from", str(branch.version))
    head = world.json("show", "head")
    again = world.run("train", "--until-end", "--from", str(branch.version))
    assert "already" in again.stderr
    assert world.json("show", "head") == head
    assert "already" in told(world, "--from", "head", code=0)
    assert [m["kind"] for m in world.json("log", "--moves")].count("adopt") == 1


def test_the_configuration_must_have_the_recipe_of_the_version(world: World) -> None:
    branch = in_bulk(world, BAYES, 800)
    head = world.json("show", "head")
    error = told(world, "--from", str(branch.version), code=2)
    assert f"the recipe of version {branch.version}" in error
    (line,) = [line for line in error.splitlines() if line.startswith("hint: write into [model]: ")]
    assert tomllib.loads(line.partition("]: ")[2]) == {"learner": BAYES}
    assert world.json("show", "head") == head
    world.configure(**setting(BAYES))
    error = told(world, code=2)
    assert "changed, but the model has versions" in error
    assert f"train --from {branch.version}" in error, "there is a version with this recipe"
    world.configure(**setting(BAYES, more="window = 7"))
    assert "validation.window" in told(world, "--from", str(branch.version), code=2)
    assert world.json("show", "head") == head


def test_what_cannot_be_taken_up_is_refused_with_words(world: World) -> None:
    closing_one = in_bulk(world, ELEC2, 800, kind="closing")
    head = world.json("show", "head")
    error = told(world, "--from", str(closing_one.version), code=2)
    assert f"the closing version {closing_one.version}" in error
    assert f"train --from {closing_one.parent}" in error
    assert "expected a version or reference '99'" in told(world, "--from", "99", code=2)
    branch = in_bulk(world, ELEC2, 800)
    events = world.folder / "events.jsonl"
    kept = events.read_bytes()
    world.write_events("events.jsonl", stream(1500, seed=2))
    told(world, "--from", str(branch.version), code=3)
    assert world.json("show", "head") == head, "the log is another: head stays"
    events.write_bytes(kept)
    empty = World(world.folder, "another")
    empty.configure(**setting())
    assert "no version of it" in told(empty, "--from", "1", code=2)
    empty.configure(**setting(), store="sqlite:///none.db")
    assert "expected a store" in told(empty, "--from", "1", code=2)
    assert not (world.folder / "none.db").exists()


def test_bytes_that_expired_come_back(world: World) -> None:
    branch = in_bulk(world, BAYES, 800)
    model = world.open()
    # a branch's end keeps its bytes; this one's end is another version that goes on from it
    model.save_beside([replace(of(model, branch), parent=branch.version)], "ann")
    assert branch.version in world.json("expire", "--keep-last", "1")["expired"]
    world.configure(**setting(BAYES))
    done = world.train("--from", str(branch.version))
    assert cumulative(done["scores"]) == bare(naive_bayes.GaussianNB(), stream(1500))
    assert model.version(branch.version).blob is not None


def of(model: ModelStore, version: Version) -> NewVersion:
    """Return a version as a new one, which read nothing since."""
    names = ("position", "accounts", "proof", "recipe", "identity", "schema", "config_hash", "environment")
    known = {name: getattr(version, name) for name in names}
    segment = replace(model.segment(version.version), runs=(), holds=())
    state = model.payload(version.version)
    return NewVersion(
        kind="save", parent=None, state=state, segment=segment, token=uuid.uuid4().hex, reason="again", **known
    )


def test_undo_takes_it_back_and_no_wrong_recipe_is_learned_on(world: World) -> None:
    first = world.json("show", "head")
    branch = in_bulk(world, BAYES, 800)
    world.configure(**setting(BAYES))
    taken_up = world.train("--from", str(branch.version))["head"]
    moved = world.json("rollback", "--undo")
    assert (moved["to"], moved["other_recipe"]) == (first["version"], True)
    assert f"learner = {json.dumps(BAYES)}" in world.run("rollback", "--undo").stdout
    assert f"learner = {json.dumps(ELEC2)}" in world.run("rollback", "--undo").stdout
    assert world.json("show", "head")["version"] == first["version"]
    error = told(world, code=2)
    assert f"expected the recipe of version {first['version']}" in error
    for command in (["rebuild"], ["bisect"]):
        assert "model.learner" in world.run(*command, code=2).stderr
    assert world.json("show", "head")["version"] == first["version"]
    world.configure(**setting())
    done = world.train()
    linear = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))
    assert cumulative(done["scores"]) == bare(linear, stream(1500))
    world.run("rollback", str(taken_up))
    told(world, code=2)
    world.configure(**setting(BAYES))
    assert world.train()["learned"] == 1500


def test_a_running_trainer_ends_with_words_when_head_comes_to_another_recipe(world: World) -> None:
    first = world.json("show", "head")["version"]
    branch = in_bulk(world, BAYES, 800)
    world.configure(**setting(BAYES))
    trainer = world.start("train", "--from", str(branch.version))
    model = world.open()
    until(lambda: model.head()[0].accounts.learned == 1400 or None, process=trainer)
    world.run("rollback", "--undo")
    done = trainer.wait(60)
    assert trainer.returncode == 2
    assert f"expected the recipe of version {first}" in done.stderr
    assert model.head()[0].version == first
    assert (beat := model.heartbeat()) is not None
    assert beat.state == "failed"


def test_a_running_trainer_follows_to_another_schema_of_the_same_recipe(tmp_path: Path) -> None:
    world = World(tmp_path)
    events = [*stream(600), *({**event, "c": event["a"] * event["b"]} for event in stream(1500)[600:])]
    world.write_events("events.jsonl", events[:600])
    world.configure(**setting())
    world.train()
    world.write_events("events.jsonl", events)
    branch = in_bulk(world, ELEC2, 1100)
    model = world.open()
    assert branch.schema != model.head()[0].schema
    trainer = world.start("train", "--from", str(branch.version))
    until(lambda: model.head()[0].accounts.learned == 1500 or None, process=trainer)
    world.run("rollback", "--undo")
    until(lambda: model.head()[0].accounts.learned == 1400 or None, process=trainer)
    until(lambda: (beat := model.heartbeat()) and (beat.version, beat.learned) == (model.head()[0].version, 1500))
    end(trainer)
    assert trainer.returncode == 0
    assert model.head()[0].accounts.learned == 1500
    linear = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))
    assert cumulative(model.head()[0].proof.scores) == bare(linear, events)


def test_a_trainer_that_runs_elsewhere_is_waited_for_or_fenced(world: World) -> None:
    branch = in_bulk(world, BAYES, 800)
    one = world.start("train")
    model = world.open()
    until(lambda: model.head()[0].accounts.learned >= 1400 or None, process=one)
    head = model.head()[0].version
    world.configure(**setting(BAYES))
    two = world.start("train", "--from", str(branch.version))
    until(lambda: len(model.runs()) >= 3, process=two)
    assert model.head()[0].version == head, "it stands by"
    end(two)
    assert model.head()[0].version == head
    done = world.train("--from", str(branch.version), "--take-over")
    assert cumulative(done["scores"]) == bare(naive_bayes.GaussianNB(), stream(1500))
    assert "took over" in one.wait(60).stderr
    assert one.returncode == 4


def test_a_hold_is_left_behind_and_champion_does_not_follow_what_learned_suspects(tmp_path: Path) -> None:
    world = World(tmp_path)
    lines = [json.dumps(event).encode() for event in stream(600)]
    world.write_events("events.jsonl", [*lines[:300], *([b"garbage"] * 30), *lines[300:]])
    publish = "[gate.breaker]\nconsecutive = 20\n[publish]\nevery_events = 50"
    world.configure(**setting(more=publish))
    world.run("train", "--until-end", code=3)
    assert world.json("status")["head"] == 2
    world.run("quarantine", "add", "--offsets", "0:10-20", "--reason", "suspect")
    branch = in_bulk(world, ELEC2, 250)
    champion = world.json("show", "champion")["version"]
    world.run("train", "--until-end", "--from", str(branch.version), code=3)
    head = world.json("show", "head")
    assert branch.version in [v["version"] for v in world.json("log")]
    assert head["parent"] == branch.version
    assert head["events"]["held"] == 20, "it comes to the same garbage, and holds there anew"
    assert world.json("show", "champion")["version"] == champion
    assert head["hold"]


def test_a_candidate_that_was_kept_before_the_first_training_binds_nobody(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(1000))
    world.configure(**setting(BAYES))
    world.run("backtest", "--save", "--learner", ELEC2, "--workers", "1")
    (kept,) = [v["version"] for v in world.json("log") if v["learned"]]
    world.configure(**setting(BAYES, more="window = 7"))
    assert "window" in told(world, code=2), "it has learned by the old setting"
    world.configure(**setting(BAYES))
    assert cumulative(world.train()["scores"]) == bare(naive_bayes.GaussianNB(), stream(1000))
    world.write_events("events.jsonl", stream(1500))
    world.configure(**setting())
    linear = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))
    assert cumulative(world.train("--from", str(kept))["scores"]) == bare(linear, stream(1500))
    assert all(each["equal"] is not False for each in world.json("verify", "all"))


def test_another_environment_is_refused_unless_accepted(world: World) -> None:
    branch = in_bulk(world, ELEC2, 800)
    model = world.open()
    old = replace(of(model, branch), parent=branch.version, environment={**branch.environment, "river": "0.25.0"})
    (other,) = model.save_beside([old], "ann")
    assert "river 0.25.0 then" in told(world, "--from", str(other.version), code=2)
    assert not [move for move in model.moves("head") if move.kind == "adopt"]
    assert world.train("--from", str(other.version), "--accept-environment")["learned"] == 1500
