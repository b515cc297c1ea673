"""From a backtest to production: what is saved, proved, taken up and trained on, against a bare river loop over all."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from river import linear_model, metrics, naive_bayes, optim, preprocessing

from learners import Learner
from store import ModelStore
from store.types import Version
from stream.backtest.asked import Found, ask
from stream.commands.backtesting import carry_out, opened_anyway
from stream.stop import Stop
from tests.bare_loop import Place, assert_read_once, read_by
from tests.stream.test_backtest import train
from tests.world import World

SCALED = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
BAYES = "preprocessing.StandardScaler() | naive_bayes.GaussianNB()"
SLOW = "linear_model.LogisticRegression(optimizer=optim.SGD(0.001))"
MODELS: dict[str, Callable[[], Any]] = {
    SCALED: lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05)),
    BAYES: lambda: preprocessing.StandardScaler() | naive_bayes.GaussianNB(),
    SLOW: lambda: linear_model.LogisticRegression(optimizer=optim.SGD(0.001)),
}
COUNTS = (400, 300)
"""Events of the two partitions that were trained live before the backtest."""

Event = dict[str, Any]


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Training in this process freezes what there is for the garbage collector, and logs to this test's own stderr."""
    structlog.reset_defaults()
    yield
    gc.unfreeze()
    structlog.reset_defaults()


def made(count: int, seed: int) -> list[Event]:
    """Events half a minute apart; labels come up to half an hour later, some never."""
    draw, events = random.Random(seed), []
    for n in range(count):
        a, b = draw.gauss(1, 2), draw.gauss(0, 1)
        y: bool | None = a > b + draw.gauss(0, 1)
        at = 30 * n
        events.append({"a": a, "b": b, "at": at, "known": at + draw.choice([0, 40, 600, 1800]), "y": y})
    return events


@dataclass
class Log:
    """A model over a topic of two partitions, each with a malformed event."""

    world: World
    later: bool = False
    events: dict[Place, Event | None] = field(default_factory=dict)
    held: set[Place] = field(default_factory=set)

    def configure(self, learner: str = SCALED) -> None:
        labels = '[labels]\nmoment = "known"\n' if self.later else ""
        self.world.configure(
            log="file:topic",
            learner=learner,
            more=f'moment = "at"\nignore = ["at", "known"]\n{labels}[validation]\nmetrics = ["Accuracy", "LogLoss"]\n'
            "window = 100\n[snapshots]\nevery_events = 150\n",
        )

    def write(self, counts: Sequence[int]) -> None:
        """Let each partition have so many events."""
        for p, count in enumerate(counts):
            every: list[Event | None] = [*made(1000, p)]
            every[77 + p] = None
            lines = [b"{" if event is None else json.dumps(event).encode() for event in every[:count]]
            self.world.write_events(f"topic/{p}.jsonl", lines)
            self.events.update({(p, n): event for n, event in enumerate(every[:count])})

    def learned(self, model: ModelStore, version: int) -> list[Event]:
        """Return what a lineage learned, in its order."""
        places = [place for each in model.lineage(version) for _, place in read_by(model, each)]
        assert len(places) == len(set(places)), "nothing was read twice"
        return [event for place in places if place not in self.held and (event := self.events[place]) is not None]


def looped(learner: str, events: Sequence[Event]) -> tuple[dict[str, float], Any]:
    """Return the scores of a bare river loop, and its model."""
    model, accuracy, loss = MODELS[learner](), metrics.Accuracy(), metrics.LogLoss()
    for event in events:
        x = {"a": event["a"], "b": event["b"]}
        if answer := model.predict_proba_one(x):
            accuracy.update(event["y"], max(answer, key=answer.__getitem__))
            loss.update(event["y"], answer)
        model.learn_one(x, event["y"])
    return {"Accuracy": accuracy.get(), "LogLoss": loss.get()}, model


def queued(learner: str, events: Sequence[Event]) -> tuple[dict[str, float], Any, int, int]:
    """Return the same where labels come later, each before the next question; and how many came, and did not."""
    model, accuracy, loss = MODELS[learner](), metrics.Accuracy(), metrics.LogLoss()
    queue: list[tuple[int, int, Event, Any]] = []
    clock = learned = 0
    for number, event in enumerate(events):
        clock = max(clock, event["at"])
        while queue and queue[0][0] <= clock:
            _, _, old, answer = queue.pop(0)
            if answer:
                accuracy.update(old["y"], max(answer, key=answer.__getitem__))
                loss.update(old["y"], answer)
            model.learn_one({"a": old["a"], "b": old["b"]}, old["y"])
            learned += 1
        queue.append((event["known"], number, event, model.predict_proba_one({"a": event["a"], "b": event["b"]})))
        queue.sort(key=lambda each: each[:2])
    return {"Accuracy": accuracy.get(), "LogLoss": loss.get()}, model, learned, len(queue)


def play(world: World, *learners: str, workers: int = 1, stop: Stop | None = None, **asked: Any) -> Found:
    """Backtest with --save in this process."""
    with opened_anyway(world.config) as (config, model):
        return carry_out(config, model, ask(learners=learners, save=True, **asked), workers, stop or Stop())[0]


def references(model: ModelStore) -> Any:
    return model.head(), model.moves(), [version.version for version in model.versions() if not version.beside]


def cumulative(version: Version) -> Mapping[str, float]:
    return {name: spans["cumulative"] for name, spans in version.proof.scores.items()}


def assert_equals(log: Log, model: ModelStore, version: Version, learner: str) -> None:
    """Compare a version with a bare loop over what its lineage says it learned: scores, answers, accounts."""
    events = log.learned(model, version.version)
    if log.later:
        scores, bare, learned, pending = queued(learner, events)
    else:
        (scores, bare), learned, pending = looped(learner, events), len(events), 0
    assert cumulative(version) == scores
    accounts = version.accounts
    assert accounts.balanced
    assert (accounts.learned, accounts.pending) == (learned, pending)
    restored = Learner.restore(model.payload(version.version), version.proof.golden)
    for event in made(20, 77):
        x = {"a": event["a"], "b": event["b"]}
        assert restored.predict_one(x).probabilities == bare.predict_proba_one(x)


def verified(world: World) -> None:
    found = world.json("verify", "all")
    assert [(each["version"], each["why"]) for each in found if each["equal"] is not True] == []


@pytest.fixture
def log(tmp_path: Path) -> Log:
    log = Log(World(tmp_path))
    log.configure()
    log.write(COUNTS)
    return log


def test_history_in_bulk_then_live_without_a_gap(log: Log) -> None:
    """Several are saved; one is taken up, and trained on."""
    world = log.world
    model = train(world)
    log.write((520, 410))
    before = references(model)
    found = play(world, "live", BAYES, SLOW)
    assert references(model) == before
    assert (found.replays_live, sorted(found.saved)) == (None, [0, 1, 2])
    for number, learner in enumerate((SCALED, BAYES, SLOW)):
        version = model.version(str(found.saved[number]))
        (base, line) = model.lineage(version.version)
        assert (base.kind, line.kind, line.version) == ("genesis", "save", version.version)
        assert version.position.next_offsets() == {"topic": {0: 520, 1: 410}}
        assert_equals(log, model, version, learner)
    verified(world)
    assert "saved beside head" in world.run("backtest", "--save", "--learner", BAYES).stdout

    log.configure(BAYES)
    log.write((700, 600))
    head = train(world, adopt=str(found.saved[1])).head()[0]
    assert head.position.next_offsets() == {"topic": {0: 700, 1: 600}}
    assert_equals(log, model, head, BAYES)
    assert_read_once(model, {0: 700, 1: 600})
    verified(world)
    again = world.json("backtest", "--learner", "live", "--learner", SLOW)
    assert (again["replays_live"], again["why"]) == (True, None)
    assert again["candidates"][0]["learned"] == head.accounts.learned

    world.run("rollback", "--undo", "--reason", "better before")
    assert model.head()[0].version == before[0][0].version, "as before it was taken up"
    log.configure()
    back = train(world).head()[0]
    assert_equals(log, model, back, SCALED)
    assert_read_once(model, {0: 700, 1: 600})


def test_labels_that_are_pending_are_carried_over(tmp_path: Path) -> None:
    log = Log(World(tmp_path), later=True)
    log.configure()
    log.write((200, 150))
    model = train(log.world)
    log.write(COUNTS)
    found = play(log.world, BAYES, "live")
    saved = model.version(str(found.saved[0]))
    assert saved.accounts.pending > 20
    for number, learner in enumerate((BAYES, SCALED)):
        assert_equals(log, model, model.version(str(found.saved[number])), learner)
    log.configure(BAYES)
    log.write((600, 450))
    head = train(log.world, adopt=str(saved.version)).head()[0]
    assert_equals(log, model, head, BAYES)
    assert_read_once(model, {0: 600, 1: 450})
    verified(log.world)


def test_what_is_held_stays_held_and_what_is_held_later_is_taken_out(log: Log) -> None:
    world = log.world
    log.write((100, 80))
    model = train(world)
    world.run("quarantine", "add", "--offsets", "0:150-190", "--reason", "they lie")
    log.held |= {(0, n) for n in range(150, 190)}
    log.write((300, 200))
    train(world)
    log.write(COUNTS)
    found = play(world, BAYES)
    saved = model.version(str(found.saved[0]))
    assert saved.accounts.held == 40 + 2
    assert_equals(log, model, saved, BAYES)
    world.run("quarantine", "add", "--offsets", "1:350-370", "--reason", "they lie, too")
    log.held |= {(1, n) for n in range(350, 370)}
    log.configure(BAYES)
    log.write((500, 450))
    head = train(world, adopt=str(saved.version)).head()[0]
    assert head.accounts.held == 60 + 2
    assert_equals(log, model, head, BAYES)
    verified(world)


def test_what_was_learned_and_then_held_is_as_it_is_live(log: Log) -> None:
    """An entry made after learning: a saved version says that it has learned it, as head does."""
    world = log.world
    model = train(world)
    found = play(world, BAYES)
    world.run("quarantine", "add", "--offsets", "1:100-120", "--reason", "they lie")
    after = play(world, BAYES, "live")
    for number in (found.saved[0], after.saved[0], after.saved[1]):
        assert model.version(str(number)).accounts.learned == sum(COUNTS) - 2, "as recorded: it was learned live"
    verified(world)
    without = play(world, BAYES, whatif={"without": ["1"]})
    log.held |= {(1, n) for n in range(100, 120)}
    clean = model.version(str(without.saved[0]))
    assert_equals(log, model, clean, BAYES)
    verified(world)
    log.configure(BAYES)
    log.write((500, 450))
    head = train(world, adopt=str(clean.version)).head()[0]
    assert_equals(log, model, head, BAYES)
    assert world.json("doctor")
    verified(world)


def test_what_is_saved_learns_where_the_live_model_was_static(log: Log) -> None:
    """No version of its own says when it would have been static: it learns all, and the log proves it."""
    world = log.world
    log.write((200, 150))
    train(world)
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace("[source]", 'mode = "static"\n[source]'), encoding="utf-8")
    log.write((300, 250))
    train(world)
    world.config.write_text(text, encoding="utf-8")
    log.write(COUNTS)
    model = train(world)
    assert {"freeze", "thaw"} <= {version.kind for version in model.versions()}
    found = play(world, "live", BAYES)
    for number, learner in enumerate((SCALED, BAYES)):
        assert_equals(log, model, model.version(str(found.saved[number])), learner)
    verified(world)


def test_the_live_learner_goes_on_from_a_version(log: Log) -> None:
    world = log.world
    model = train(world)
    start = next(version for version in model.versions() if version.version == 3)
    log.write((520, 410))
    found = play(world, "live", BAYES, start="3")
    saved = model.version(str(found.saved[0]))
    assert saved.parent == start.version
    assert_equals(log, model, saved, SCALED)
    beside = model.version(str(found.saved[1]))
    base = model.lineage(beside.version)[0]
    assert base.position.next_offsets() == start.position.next_offsets()
    assert_equals(log, model, beside, BAYES)
    verified(world)
    log.write((600, 500))
    head = train(world, adopt=str(saved.version)).head()[0]
    assert_equals(log, model, head, SCALED)
    assert_read_once(model, {0: 600, 1: 500})
    found_again = play(world, "live", start=str(saved.version), since=f"v:{saved.version}")
    assert_equals(log, model, model.version(str(found_again.saved[0])), SCALED)


@pytest.mark.parametrize("learners", [(BAYES,), (SLOW, BAYES)], ids=["one", "several"])
def test_history_in_bulk_before_anything_was_trained(log: Log, learners: Sequence[str]) -> None:
    found = play(log.world, *learners)
    model = log.world.open()
    saved = model.version(str(found.saved[len(learners) - 1]))
    assert model.head()[0].accounts.learned == 0
    assert_equals(log, model, saved, BAYES)
    verified(log.world)
    log.configure(BAYES)
    log.write((500, 450))
    head = train(log.world, adopt=str(saved.version)).head()[0]
    assert_equals(log, model, head, BAYES)
    assert_read_once(model, {0: 500, 1: 450})
    verified(log.world)


def test_a_part_of_the_log_is_saved_where_it_ends(log: Log) -> None:
    world = log.world
    model = train(world)
    found = play(world, BAYES, until=["0:300,1:250"])
    saved = model.version(str(found.saved[0]))
    assert saved.position.next_offsets() == {"topic": {0: 300, 1: 250}}
    assert_equals(log, model, saved, BAYES)
    log.configure(BAYES)
    head = train(world, adopt=str(saved.version)).head()[0]
    assert_equals(log, model, head, BAYES)
    assert_read_once(model, {0: 400, 1: 300})


def test_a_saved_version_is_served_and_kept(log: Log) -> None:
    world = log.world
    model = train(world)
    found = play(world, BAYES, SLOW)
    served = str(found.saved[0])
    world.run("promote", served, "--reason", "better")
    assert world.json("show", "champion")["version"] == found.saved[0]
    world.write_events("ask.jsonl", [{"a": 1.0, "b": 0.5}, {"a": -3.0, "b": 0.5}])
    lines = world.run("predict", "champion", "ask.jsonl", "--jsonl").stdout.splitlines()
    _, bare = looped(BAYES, log.learned(model, found.saved[0]))
    asked = [{"a": 1.0, "b": 0.5}, {"a": -3.0, "b": 0.5}]
    answers = [bare.predict_proba_one(x) for x in asked]
    assert [{k == "true": v for k, v in json.loads(line)["probabilities"].items()} for line in lines] == answers
    world.run("expire", "--keep-last", "1")
    kept = {version.version for version in model.versions() if version.blob is not None}
    assert {found.saved[0], found.saved[1]} <= kept
    assert len(kept) < len(model.versions())
    verified(world)


def test_what_was_met_is_met_again_after_it_was_taken_up(tmp_path: Path) -> None:
    """The gate remembers ids: those of what was learned live, in bulk, and before the version that is gone on from."""
    log = Log(World(tmp_path))
    world = log.world
    events = [{"id": n, **event} for n, event in enumerate(made(500, 3))]
    sent = events[:200] + events[150:180] + events[200:300] + events[220:230] + events[300:400] + events[10:20]
    sent += events[390:]

    def configure(learner: str) -> None:
        log.configure(learner)
        text = world.config.read_text(encoding="utf-8").replace(
            'ignore = ["at", "known"]', 'ignore = ["at", "known", "id"]'
        )
        text = text.replace("[validation]", 'id = "id"\n[gate]\nduplicates = 10000\n[validation]', 1)
        world.config.write_text(text, encoding="utf-8")

    configure(SCALED)
    world.write_events("topic/0.jsonl", sent[:250])
    train(world)
    world.write_events("topic/0.jsonl", sent[:400])
    found = play(world, BAYES)
    configure(BAYES)
    world.write_events("topic/0.jsonl", sent)
    head = train(world, adopt=str(found.saved[0])).head()[0]
    assert (head.accounts.learned, head.accounts.held) == (500, len(sent) - 500)
    assert cumulative(head) == looped(BAYES, events)[0]
    verified(world)


def test_stopped_it_leaves_nothing_half(log: Log) -> None:
    world = log.world
    model = train(world)
    before = [version.version for version in model.versions()]
    stop = Stop()
    stop.requested = True
    play(world, BAYES, SLOW, stop=stop)
    assert [version.version for version in model.versions()] == before
    found = play(world, BAYES, SLOW)
    assert len(found.saved) == 2
    assert len(model.versions()) == len(before) + 4
    for number, learner in enumerate((BAYES, SLOW)):
        assert_equals(log, model, model.version(str(found.saved[number])), learner)
