"""A trainer that runs obeys the quarantine: at once, and late releases too; and rebuilds while the world goes on."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store import ModelStore
from store.offsets import Offsets
from store.types import Ref
from tests.bare_loop import RECIPES, Place, assert_equals_river, assert_read_once, learned_late
from tests.world import Command, World, end, until

MORE = (
    'ignore = ["s"]\n[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n[snapshots]\nevery_events = {every}'
)


class Live:
    """A slow model, a trainer that follows a topic, and what was written into it."""

    def __init__(self, folder: Path, *, every: int = 50, learner: str = "slow") -> None:
        self.world, self.source = World(folder), random.Random(7)
        self.events: list[dict[str, Any]] = []
        self.topic = self.world.write_events("topic/0.jsonl", [])
        self.world.configure(log="file:topic", learner=f"tests.stream.slow:{learner}", more=MORE.format(every=every))

    def put(self, count: int) -> int:
        """Write events; return the offset of the next one."""
        made = []
        for _ in range(count):
            a, b = self.source.gauss(0, 1), self.source.gauss(0, 1)
            made.append({"a": a, "b": b, "s": f"s{self.source.randrange(5)}", "y": a > b})
        self.events += made
        with self.topic.open("ab") as out:
            out.write(b"".join(json.dumps(event).encode() + b"\n" for event in made))
        return len(self.events)

    def begin(self) -> tuple[Command, ModelStore]:
        """Train, and return once the first version is saved."""
        trainer = self.world.start("train")
        until((self.world.folder / "tidemark.db").exists, process=trainer)
        until(self._trained, process=trainer)
        return trainer, self.world.open()

    def _trained(self) -> bool:
        try:
            return self.world.open().head()[0].accounts.learned > 0
        except Exception:  # noqa: BLE001 - not there yet
            return False

    def finish(self, trainer: Command, model: ModelStore) -> None:
        """Wait until everything is read, and end the trainer."""
        until(lambda: _idle(model, len(self.events)), seconds=60, process=trainer)
        end(trainer)
        assert trainer.returncode == 0

    def means(self, *sensors: str) -> set[int]:
        return {offset for offset, event in enumerate(self.events) if event["s"] in sensors}

    def assert_equals_river(self, model: ModelStore, held: set[int]) -> None:
        def example(at: Place) -> tuple[dict[str, float], bool]:
            event = self.events[at[1]]
            return {name: event[name] for name in ("a", "b")}, event["y"]

        linear = next(iter(RECIPES.values()))()
        learned = assert_equals_river(model, linear, example, lambda at: at[1] in held, [{"a": 0.5, "b": 0.2}])
        assert_read_once(model, {0: len(self.events)})
        accounts = model.head()[0].accounts
        assert (accounts.read, accounts.learned) == (len(self.events), learned)
        assert accounts.held == len(held) == accounts.read - learned


def _idle(model: ModelStore, read: int) -> bool:
    beat = model.heartbeat()
    return beat is not None and beat.state == "idle" and beat.read == read


def _learned(model: ModelStore) -> int:
    beat = model.heartbeat()
    return 0 if beat is None else beat.learned


def _add(live: Live, *selector: str) -> Any:
    return live.world.json("quarantine", "add", *selector, "--reason", "it lies")


def _held(model: ModelStore) -> set[int]:
    """Return the offsets that head's lineage held in quarantine and has not learned since."""
    lineage = model.lineage(model.head()[0].version)
    held = {hold.offset for version in lineage for hold in model.segment(version.version).holds}
    return held - {offset for _, offset in learned_late(model, lineage)}


def test_nothing_that_comes_after_the_command_returned_is_learned(tmp_path: Path) -> None:
    live, after, stop = Live(tmp_path), {}, threading.Event()
    live.put(100)
    trainer, model = live.begin()

    def produce() -> None:
        while not stop.is_set():
            live.put(2)
            time.sleep(0.005)

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        for sensor in ("s1", "s2", "s3"):
            told = _add(live, "--where", f"s == '{sensor}'")
            after[sensor] = len(live.events)
            assert told["obeyed"] is True
            time.sleep(0.3)
    finally:
        stop.set()
        producer.join()
    live.finish(trainer, model)
    held = _held(model)
    for sensor, first in after.items():
        mine = live.means(sensor)
        assert {offset for offset in mine if offset > first} <= held, sensor
    assert live.world.json("rebuild")["learned"] == len(live.means(*after) - held) > 0
    live.assert_equals_river(model, live.means(*after))


def test_nobody_obeys_where_nobody_trains(tmp_path: Path) -> None:
    live = Live(tmp_path, learner="less_slow")
    live.put(100)
    live.world.train()
    assert _add(live, "--where", "s == 's1'")["obeyed"] is None


def test_what_is_released_late_is_learned_by_the_running_trainer(tmp_path: Path) -> None:
    live = Live(tmp_path, learner="less_slow")
    live.put(100)
    trainer, model = live.begin()
    ours = _add(live, "--where", "s in ('s1', 's2')")["entry"]
    theirs = _add(live, "--where", "s in ('s2', 's3')")["entry"]
    live.put(200)
    until(lambda: _idle(model, 300), process=trainer)
    learned = live.means("s1", "s2", "s3") - _held(model)
    assert max(learned) < 100
    live.world.run("quarantine", "release", str(ours), "--late", "--reason", "it told the truth")
    until(lambda: _learned(model) == 300 - len(live.means("s2", "s3") - learned), process=trainer)
    live.put(200)
    until(lambda: _idle(model, 500), process=trainer)
    live.world.run("quarantine", "release", str(theirs), "--late", "--reason", "it told the truth")
    live.put(50)
    until(lambda: _learned(model) == 550, process=trainer)
    live.finish(trainer, model)
    assert [run.command for run in model.runs()].count("train") == 1
    late = {offset for _, offset in learned_late(model, model.lineage(model.head()[0].version))}
    assert late == {offset for offset in live.means("s1", "s2", "s3") if 100 <= offset < 300} | {
        offset for offset in live.means("s2", "s3") if 300 <= offset < 500
    }
    live.assert_equals_river(model, set())


def test_a_rebuild_while_the_trainer_saves_often(tmp_path: Path) -> None:
    live = Live(tmp_path, every=10, learner="less_slow")
    live.put(400)
    trainer, model = live.begin()
    until(lambda: model.head()[0].accounts.learned >= 300, process=trainer)
    _add(live, "--where", "s == 's1'")
    rebuild = live.world.start("rebuild")
    while rebuild.returncode is None:
        live.put(2)
        time.sleep(0.02)
    live.put(20)
    live.finish(trainer, model)
    assert rebuild.returncode == 0, rebuild.wait(1)
    (swap,) = [move for move in model.moves("head") if move.kind == "rebuild"]
    beside = [version for version in model.versions() if version.covers is None and version.created_at < swap.at]
    assert beside[-1].version > min(each.version for each in model.versions() if each.covers is not None)
    live.assert_equals_river(model, live.means("s1"))


@pytest.fixture
def rebuilding(tmp_path: Path) -> Iterator[tuple[Live, ModelStore, Command]]:
    """A model of twelve versions and a rebuild of it that has saved two of them, and is slow with the others."""
    live = Live(tmp_path)
    live.put(600)
    live.world.train()
    _add(live, "--where", "s == 's1'")
    model = live.world.open()
    process = live.world.start("rebuild")
    until(lambda: model.rebuilds() and model.rebuilds()[0].covers >= 3, process=process)
    yield live, model, process
    assert live.world.json("rebuild")["base"] is None, "what was rebuilt is as it should be"


def _rewind(model: ModelStore, to: int) -> Ref:
    return model.move("head", to, kind="rewind", who="ann", why="a look at the past")


@pytest.mark.parametrize("to", [3, 8])
def test_head_is_rolled_back_in_the_midst(rebuilding: tuple[Live, ModelStore, Command], to: int) -> None:
    live, model, process = rebuilding
    _rewind(model, to)
    process.wait(60)
    assert process.returncode == 0, process.wait(1)
    head = model.head()[0]
    assert (head.covers, head.position.next_offsets()) == (to, {"topic": {0: (to - 1) * 50}})
    live.world.train()
    live.assert_equals_river(model, live.means("s1"))


def test_head_is_rolled_back_to_before_all_of_it(rebuilding: tuple[Live, ModelStore, Command]) -> None:
    live, model, process = rebuilding
    before = _rewind(model, 1)
    done = process.wait(60)
    assert process.returncode in (0, 4), done
    assert process.returncode == 0 or "head" in done.stderr
    assert model.head()[1].version in (1, before.version)
    live.world.train()
    live.assert_equals_river(model, live.means("s1"))


def test_the_quarantine_changes_in_the_midst(rebuilding: tuple[Live, ModelStore, Command]) -> None:
    live, model, process = rebuilding
    head = model.head()[0]
    more = Offsets.of([("topic", 0, 100, 110)])
    model.quarantine_add("topic", {"offsets": [[0, 100, 110]]}, more, {0: 600}, who="ann", why="these, too")
    done = process.wait(60)
    assert process.returncode == 4, done
    assert "the quarantine was changed" in done.stderr
    assert "hint: " in done.stderr
    assert model.head()[0] == head
    assert live.world.json("rebuild")["to"] is not None
    live.assert_equals_river(model, live.means("s1") | set(range(100, 110)))


def test_a_second_rebuild_is_refused_unless_it_takes_over(rebuilding: tuple[Live, ModelStore, Command]) -> None:
    live, model, process = rebuilding
    refused = live.world.run("rebuild", code=2)
    assert f"by process {process.pid}" in refused.stderr
    assert "--take-over" in refused.stderr
    process.wait(60)
    assert process.returncode == 0
    live.assert_equals_river(model, live.means("s1"))


def test_a_rebuild_that_another_takes_over_ends(rebuilding: tuple[Live, ModelStore, Command]) -> None:
    live, model, process = rebuilding
    told = live.world.json("rebuild", "--take-over")
    done = process.wait(60)
    assert process.returncode == 4, done
    assert "another process went on" in done.stderr
    assert model.head()[0].version == told["to"]
    assert len(model.rebuilds()) == 1
    live.assert_equals_river(model, live.means("s1"))
