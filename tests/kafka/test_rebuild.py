"""What is rebuilt equals what never saw the held events: on real Kafka, with keys, kills, rollbacks and releases."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from store.entries import Release
from stream.commands.moving import rollback
from stream.commands.quarantining import add, release
from stream.commands.rebuilding import Wishes, rebuild
from stream.config import read_config
from stream.consumer import Options, consume
from stream.screen import LogScreen
from stream.selector import read_selector
from stream.stop import Stop
from tests.bare_loop import RECIPES, Place, assert_equals_river, assert_read_once, learned_late
from tests.kafka.broker import Broker
from tests.world import Command, World

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

SEEDS = range(50)
TIMES = 1_700_000_000
MORE = """
ignore = ["s", "at"]
{moment}
[validation]
metrics = ["Accuracy", "LogLoss"]
window = 100
[snapshots]
every_events = {every}
"""


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Training in this process freezes what there is for the garbage collector, and logs to this test's own stderr."""
    structlog.reset_defaults()
    yield
    gc.unfreeze()
    structlog.reset_defaults()


class Topic:
    """A topic with what was put into it: fields, key and time of each place. `after` is of the last delivery."""

    def __init__(self, kafka: Broker, partitions: int, *, stamps: bool) -> None:
        self.name = kafka.topic(partitions, retention_ms=-1)
        self.ends = dict.fromkeys(range(partitions), 0)
        self.events: dict[Place, tuple[dict[str, Any] | None, str, int]] = {}
        self._stamps = stamps
        self._producer = kafka.producer(**{"linger.ms": 1})

    def put(self, count: int, source: random.Random) -> None:
        """Produce events, some of them malformed, with keys and times; return when they are there."""
        for _ in range(count):
            partition = source.choice(list(self.ends))
            at = TIMES + len(self.events)
            a, b, key = source.gauss(0, 1), source.gauss(1, 2), f"k{source.randrange(6)}"
            values = {"a": a, "b": b, "s": f"s{source.randrange(8)}", "at": at, "y": a + b > source.gauss(1, 0.3)}
            malformed = source.random() < 0.01
            self._producer.produce(
                self.name,
                b"{" if malformed else json.dumps(values).encode(),
                key=key.encode(),
                partition=partition,
                timestamp=at * 1000 if self._stamps else 0,
            )
            self.events[partition, self.ends[partition]] = (None if malformed else values, key, at)
            self.ends[partition] += 1
        assert self._producer.flush(30) == 0

    def example(self, place: Place) -> tuple[dict[str, float], bool] | None:
        """Return x and y of a place, None for what is malformed."""
        values = self.events[place][0]
        return None if values is None else ({name: values[name] for name in ("a", "b")}, values["y"])


Means = Callable[[Place], bool]


class Life:
    """One model through one seed: `means` says what each entry of the quarantine means, by the test's own reading."""

    def __init__(self, folder: Path, kafka: Broker, seed: int) -> None:
        self.source = random.Random(seed)
        self.recipe = list(RECIPES)[seed % len(RECIPES)]
        stamps = seed % 2 == 1
        self.topic = Topic(kafka, 1 + seed % 3, stamps=stamps)
        self.world = World(folder)
        self.world.configure(
            log=f"kafka://{kafka.bootstrap}/{self.topic.name}",
            learner=self.recipe,
            more=MORE.format(moment="" if stamps else 'moment = "at"', every=self.source.choice([40, 70, 100])),
        )
        self.stamps = stamps
        self.means: dict[int, Means] = {}
        self.late: set[Place] = set()

    def train(self) -> None:
        consume(read_config(self.world.config), Options(until_end=True), Stop(), LogScreen("life"))

    def train_killed(self) -> bool:
        """Train in a process that is killed once it has saved a few versions; whether it died of that."""
        model = self.world.open()
        last = model.outline()[-1].version
        trainer = self.world.start("train", "--until-end")
        wanted = last + self.source.randrange(1, 4)
        return _killed_when(trainer, lambda: model.outline()[-1].version >= wanted)

    def rebuild_killed(self) -> bool:
        """Rebuild in a process that is killed once it has saved a version or two; whether it died of that."""
        model = self.world.open()
        last = model.outline()[-1].version
        wanted = last + self.source.randrange(1, 4)
        process = self.world.start("rebuild", "--reason", "killed")
        return _killed_when(process, lambda: model.outline()[-1].version >= wanted)

    def rebuild(self) -> Any:
        return self._told(lambda: rebuild(self.world.config, Wishes(reason="property"), as_json=True))

    def quarantine(self) -> None:
        """Make an entry by a selector of any kind."""
        source, events = self.source, self.topic.events
        parts: dict[str, Any] = {}
        tests: list[Means] = []
        for kind in source.choice(
            [["offsets"], ["time"], ["key"], ["where"], ["key", "time"], ["where", "offsets"], ["where", "key", "time"]]
        ):
            if kind == "offsets":
                ranges = []
                for partition, end in self.topic.ends.items():
                    start = source.randrange(0, max(1, end - 20))
                    ranges.append((partition, start, start + source.randrange(1, 200)))
                parts["offsets"] = [f"{p}:{start}-{stop}" for p, start, stop in ranges]
                tests.append(lambda at, ranges=ranges: any(at[0] == p and a <= at[1] < b for p, a, b in ranges))
            elif kind == "time":
                first = TIMES + source.randrange(len(events))
                last = first + source.randrange(1, 300)
                parts.update(since=str(first), until=str(last))
                stamped = self.stamps
                tests.append(
                    lambda at, first=first, last=last, stamped=stamped: (
                        first <= events[at][2] < last and (stamped or events[at][0] is not None)
                    )
                )
            elif kind == "key":
                parts["key"] = key = f"k{source.randrange(7)}"
                tests.append(lambda at, key=key: events[at][1] == key)
            else:
                name, bound = f"s{source.randrange(8)}", round(source.gauss(0, 1), 2)
                parts["where"] = f"s == '{name}' and a > {bound}"
                tests.append(
                    lambda at, name=name, bound=bound: (
                        (values := events[at][0]) is not None and values["s"] == name and values["a"] > bound
                    )
                )
        made = self._told(
            lambda: add(
                self.world.config,
                read_selector(**parts),
                labels=False,
                confirmed=False,
                dry_run=False,
                reason="property",
                as_json=True,
            )
        )
        self.means[made["entry"]] = lambda at: all(test(at) for test in tests)
        assert made["events"] == sum(map(self.means[made["entry"]], self.topic.events)), (parts, made)

    def release(self, how: Release) -> None:
        """Release an entry; what was held, and is meant by no other, is to be learned late."""
        active = [entry.entry for entry in self.world.open().quarantine()[1] if entry.active]
        if active:
            number = self.source.choice(active)
            self._told(lambda: release(self.world.config, number, how, reason="property", as_json=True))

    def roll_back(self) -> None:
        model = self.world.open()
        line = model.lineage(model.head()[0].version)
        to = self.source.choice(line[1:]).version
        mode = self.source.choice(["rewind", "rewind", "skip"])
        self._told(
            lambda: rollback(
                self.world.config, str(to), mode=mode, ref="head", undo=False, reason="property", as_json=True
            )
        )

    def _told(self, command: Callable[[], Any]) -> Any:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            command()
        return json.loads(out.getvalue())

    def assert_well(self) -> int:
        """Compare head with the bare loop; return how many events it learned late."""
        model = self.world.open()
        entries = model.quarantine()[1]
        active = [self.means[entry.entry] for entry in entries if entry.active]
        released = [self.means[entry.entry] for entry in entries if entry.release == "late"]

        def held(at: Place) -> bool:
            return any(means(at) for means in active)

        late = learned_late(model, model.lineage(model.head()[0].version))
        assert all(any(means(at) for means in released) for at in late)
        probes = [{"a": x / 2, "b": 1 - x / 3} for x in range(-4, 5)]
        assert_equals_river(model, RECIPES[self.recipe](), self.topic.example, held, probes)
        assert_read_once(model, self.topic.ends)
        return len(late)


def _killed_when(process: Command, moment: Callable[[], bool]) -> bool:
    while process.returncode is None and not moment():
        time.sleep(0.003)
    process.signal(9)
    process.wait(60)
    return process.returncode == -9


def live(life: Life) -> Counter[str]:
    """Train, quarantine, roll back, release and rebuild in an order of the seed's; one of them is killed."""
    source, done = life.source, Counter[str]()
    life.topic.put(source.randrange(250, 500), source)
    life.train()
    killed = source.choice(["train", "rebuild"])
    plan = ["quarantine", "quarantine", source.choice(["rollback", "late", "rewrite"]), killed]
    plan += source.choices(["quarantine", "put", "train", "rebuild", "late", "rewrite", "rollback"], k=3)
    source.shuffle(plan)
    plan.sort(key=lambda step: step in ("late", "rewrite", killed))  # there must be something to release, or to rebuild
    for step in [*plan, "put", "train", "rebuild"]:
        done[step] += 1
        if step == "put" or (step == "train" and killed == "train"):
            life.topic.put(source.randrange(50, 300), source)
        if step == "quarantine":
            life.quarantine()
        elif step == "rollback":
            life.roll_back()
        elif step in ("late", "rewrite"):
            life.release(step)  # type: ignore[arg-type]
        elif step == killed:
            done["killed"] += (life.train_killed if step == "train" else life.rebuild_killed)()
            (life.train if step == "train" else life.rebuild)()
        elif step == "train":
            life.train()
        elif step == "rebuild":
            life.rebuild()
    life.train()
    assert life.rebuild()["base"] is None, "what was rebuilt is as it should be"
    done["learned late"] = life.assert_well()
    return done


@pytest.mark.parametrize("some", [SEEDS[start::5] for start in range(5)], ids=lambda some: f"seeds{some.start}")
def test_fifty_seeds(tmp_path: Path, kafka: Broker, some: range, capsys: pytest.CaptureFixture[str]) -> None:
    done: Counter[str] = Counter()
    for seed in some:
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            done += live(Life(folder, kafka, seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    with capsys.disabled():
        print(f"\n{dict(done)}", end=" ")
    assert done["killed"] >= len(some) // 2, "kills must fall while something is done"
