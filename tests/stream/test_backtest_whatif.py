"""What-ifs through the command: a bare river loop by hand over the changed stream, part trained live, part not."""

from __future__ import annotations

import gc
import json
import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from river import linear_model, metrics, naive_bayes, optim, preprocessing

from store import ModelStore
from store.types import Cursor, Position, Segment, TopicPosition
from stream.backtest.asked import Found, ask
from stream.backtest.noise import gaussian
from stream.backtest.rollback import turned_back
from stream.backtest.spread import Spread
from stream.backtest.stretch import Course, Stretch
from stream.commands.backtesting import carry_out, opened_anyway
from stream.errors import ConfigError
from stream.stop import Stop
from tests.bare_loop import Place, read_by
from tests.stream.test_backtest import train, turns
from tests.world import World, clean_up

SCALED = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
BAYES = "preprocessing.StandardScaler() | naive_bayes.GaussianNB()"
MODELS: dict[str, Callable[[], Any]] = {
    SCALED: lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05)),
    BAYES: lambda: preprocessing.StandardScaler() | naive_bayes.GaussianNB(),
}
"""Two that share their first step."""

MORE = (
    'moment = "at"\nignore = ["at"]\n[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n'
    "[snapshots]\nevery_events = 150\n"
)
GARBAGE = {(0, 77), (1, 310), (1, 450)}
LIES = range(100, 140)
"""Of partition 0, held since before they were read."""
pytestmark = pytest.mark.usefixtures("compiled_code")

Event = Mapping[str, Any]
X = dict[str, float]


def made(count: int, seed: int) -> list[dict[str, Any]]:
    """Events half a minute apart or so, not in the order of their times."""
    draw, events = random.Random(seed), []
    for n in range(count):
        a, b, c = draw.gauss(1, 2), draw.gauss(0, 1), draw.gauss(5, 3)
        event = {
            "a": a,
            "b": b,
            "c": c,
            "at": 30 * n + draw.randrange(200),
            "y": a + 0.3 * c > b + 2 + draw.gauss(0, 1),
        }
        if draw.random() < 0.05:
            del event["b"]
        events.append(event)
    return events


def play(world: World, *learners: str, workers: int = 1, **asked: Any) -> Found:
    """Backtest in this process, by the words of a person."""
    stream = ("without", "skip_range", "delay", "shift", "noise", "drop", "order", "seed")
    changes = {name: asked.pop(name) for name in stream if name in asked}
    with opened_anyway(world.config) as (config, model):
        return carry_out(config, model, ask(learners=learners, whatif=changes, **asked), workers, Stop())[0]


@dataclass
class Bare:
    """What a bare river loop came to."""

    scores: dict[str, float]
    learned: int
    pending: int = 0


class Scores:
    def __init__(self) -> None:
        self.found = {"Accuracy": metrics.Accuracy(), "LogLoss": metrics.LogLoss()}

    def update(self, y: bool, answer: Mapping[bool, float]) -> None:  # noqa: FBT001 - a label
        if answer:
            self.found["Accuracy"].update(y, max(answer, key=answer.__getitem__))
            self.found["LogLoss"].update(y, answer)

    def get(self) -> dict[str, float]:
        return {name: metric.get() for name, metric in self.found.items()}


def looped(model: Any, examples: Iterable[tuple[X, bool]]) -> Bare:
    """Predict, score, learn."""
    scores, learned = Scores(), 0
    for x, y in examples:
        scores.update(y, model.predict_proba_one(x))
        model.learn_one(x, y)
        learned += 1
    return Bare(scores.get(), learned)


def queued(model: Any, examples: Iterable[tuple[X, bool, int]], delay: int, *, close: bool = True) -> Bare:
    """Predict when asked; score and learn when the label comes, before the next question at or after that time."""
    scores, learned, clock = Scores(), 0, 0
    queue: list[tuple[int, int, X, bool, Any]] = []
    for number, (x, y, at) in enumerate(examples):
        clock = max(clock, at)
        while queue and queue[0][0] <= clock:
            _, _, old, label, answer = queue.pop(0)
            scores.update(label, answer)
            model.learn_one(old, label)
            learned += 1
        queue.append((at + delay, number, x, y, model.predict_proba_one(x)))
        queue.sort(key=lambda each: each[:2])
    for _, _, old, label, answer in queue if close else ():
        scores.update(label, answer)
        model.learn_one(old, label)
        learned += 1
    return Bare(scores.get(), learned, 0 if close else len(queue))


@dataclass
class Setting:
    """A model that was trained live over a part of a log; nothing here changes it."""

    world: World
    events: dict[Place, Event]
    order: list[Place]
    held: set[Place]
    model: ModelStore

    def examples(self, *, gone: Callable[[Place, Event], bool] | None = None) -> Iterator[tuple[Place, X, bool]]:
        """Give out what is learned, in order, but for what is gone."""
        for place in self.order:
            if place not in GARBAGE and place not in self.held:
                event = self.events[place]
                if gone is None or not gone(place, event):
                    yield place, {name: event[name] for name in "abc" if name in event}, event["y"]

    def plain(self, **asked: Any) -> list[tuple[X, bool]]:
        return [(x, y) for _, x, y in self.examples(**asked)]


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Training in this process freezes what there is for the garbage collector, and logs to this test's own stderr."""
    structlog.reset_defaults()
    yield
    gc.unfreeze()
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """Two partitions; live: 500 and 400 events of them, some held; then a tail of 260 and 130."""
    world = World(tmp_path_factory.mktemp("whatif"))
    world.configure(log="file:topic", learner=SCALED, more=MORE)
    every = {(p, n): event for p, count in ((0, 760), (1, 530)) for n, event in enumerate(made(count, p))}

    def write(counts: Sequence[int]) -> None:
        for p, count in enumerate(counts):
            lines = [b"{" if (p, n) in GARBAGE else json.dumps(every[p, n]).encode() for n in range(count)]
            world.write_events(f"topic/{p}.jsonl", lines)

    write((90, 60))
    train(world)
    world.run("quarantine", "add", "--offsets", f"0:{LIES.start}-{LIES.stop}", "--reason", "they lie")
    write((500, 400))
    model = train(world)
    write((760, 530))
    head = model.head()[0]
    lived = [place for version in model.lineage(head.version) for _, place in read_by(model, version)]
    order = [*lived, *turns({0: 500, 1: 400}, {0: 760, 1: 530})]
    assert len(order) == len(set(order)) == len(every)
    yield Setting(world, every, order, {(0, n) for n in LIES}, model)
    clean_up()


def assert_found(found: Found, expected: Callable[[Any], Bare], learners: Sequence[str] = (SCALED, BAYES)) -> None:
    """Compare each candidate with a bare loop; the change is told, and that nobody can compare with live scores."""
    assert len(found.outcomes) == len(learners)
    for outcome, learner in zip(found.outcomes.values(), learners, strict=True):
        bare = expected(MODELS[learner]())
        assert outcome.error is None
        assert {name: spans["cumulative"] for name, spans in outcome.scores.items()} == bare.scores
        assert (outcome.learned, outcome.accounts[1]) == (bare.learned, bare.pending)
    assert (found.replays_live, found.why) == (None, "the stream was changed")
    assert found.changes
    assert found.verdict is not None
    assert {found.verdict["leader"]} <= {candidate.name for candidate in found.candidates}


def test_nothing_changed_is_what_was_lived(setting: Setting) -> None:
    found = play(setting.world, "live", BAYES)
    assert (found.replays_live, found.why, found.changes) == (True, None, [])
    for outcome, learner in zip(found.outcomes.values(), (SCALED, BAYES), strict=True):
        bare = looped(MODELS[learner](), setting.plain())
        assert {name: spans["cumulative"] for name, spans in outcome.scores.items()} == bare.scores
        assert (outcome.learned, outcome.held) == (bare.learned, len(GARBAGE) + len(LIES))


GONE: list[tuple[dict[str, Any], Callable[[Place, Event], bool], int]] = [
    ({"without": ["where a > 2.5"]}, lambda _, e: e["a"] > 2.5, 1),
    ({"without": ["offsets 0:30-60,1:420-430", "where c < 0"]}, lambda p, e: e["c"] < 0 or _within(p), 1),
    ({"skip_range": ["0:30-60", "1:420-430"]}, lambda p, _: _within(p), 0),
    (
        {"skip_range": ["1970-01-01T00:30:00Z..1970-01-01T01:10:00Z"]},
        lambda _, e: 1800 <= e["at"] < 4200,
        0,
    ),
]


def _within(place: Place) -> bool:
    return place[1] in {0: range(30, 60), 1: range(420, 430)}[place[0]]


@pytest.mark.parametrize(("asked", "gone", "holds"), GONE, ids=["where", "offsets", "skipped", "times"])
def test_what_is_gone_is_not_learned(
    setting: Setting, asked: dict[str, Any], gone: Callable[[Place, Event], bool], holds: int
) -> None:
    found = play(setting.world, "live", BAYES, **asked)
    left = setting.plain(gone=gone)
    assert len(left) < len(setting.plain()) - 30
    assert_found(found, lambda model: looped(model, left))
    counted = {
        place
        for place in setting.order
        if place in GARBAGE | setting.held or (holds and gone(place, setting.events[place]))
    }
    if not holds:
        counted = {place for place in counted if place in GARBAGE or not gone(place, setting.events[place])}
    assert {outcome.held for outcome in found.outcomes.values()} == {len(counted)}


def test_what_versions_read_is_skipped(setting: Setting) -> None:
    found = play(setting.world, "live", BAYES, skip_range=["v:3..v:5"])
    read = {place for number in (4, 5) for _, place in read_by(setting.model, setting.model.version(str(number)))}
    assert len(read) > 100
    left = setting.plain(gone=lambda place, _: place in read)
    assert_found(found, lambda model: looped(model, left))


def test_an_entry_is_meant_by_its_number(tmp_path: Path) -> None:
    """It was released live, and late; without it is as if it had never been."""
    world = World(tmp_path)
    world.configure(log="file:topic", learner=SCALED, more=MORE)
    events = made(400, 5)
    world.write_events("topic/0.jsonl", events[:100])
    train(world)
    entry = world.json("quarantine", "add", "--offsets", "0:150-190", "--reason", "they lie")["entry"]
    world.write_events("topic/0.jsonl", events[:300])
    train(world)
    world.run("quarantine", "release", str(entry), "--late", "--reason", "they do not")
    world.write_events("topic/0.jsonl", events)
    model = train(world)
    lineage = model.lineage(model.head()[0].version)
    order = [place for version in lineage for _, place in read_by(model, version)]
    found = play(world, "live", BAYES, without=[str(entry)])
    left = [
        ({name: events[n][name] for name in "abc" if name in events[n]}, events[n]["y"])
        for _, n in order
        if not 150 <= n < 190
    ]
    assert (len(left), len(order)) == (360, 440), "the entry was read twice: held, and learned late"
    assert_found(found, lambda model: looped(model, left))
    assert play(world, "live").replays_live is True, "learned late, as it was live"


def test_a_feature_is_dropped_and_moved(setting: Setting) -> None:
    """A standard deviation is that of what is read, without what is held back."""
    found = play(setting.world, "live", BAYES, drop=["c"], shift=["b=+2sd", "a=*1.5"], without=["where a > 4"])
    kept = setting.plain(gone=lambda _, e: e["a"] > 4)
    spread = Spread({"b"})
    spread.take([x for x, _ in kept])
    (sd,) = spread.sds().values()
    assert sd == pytest.approx(statistics.stdev(x["b"] for x, _ in kept if "b" in x))
    assert f"shift b by +2 sd ({sd:g} each)" in found.changes
    changed = [({"a": x["a"] * 1.5, **({"b": x["b"] + 2 * sd} if "b" in x else {})}, y) for x, y in kept]
    assert_found(found, lambda model: looped(model, changed))


def test_noise_is_that_of_the_place_whatever_was_left_out(setting: Setting) -> None:
    found = play(setting.world, "live", BAYES, noise=["a=0.5"], seed=7, skip_range=["0:0-100"])
    left = list(setting.examples(gone=lambda place, _: place[0] == 0 and place[1] < 100))
    drawn = gaussian(7, "a", [place for place, _, _ in left])
    noisy = [({**x, "a": x["a"] + 0.5 * float(z)}, y) for (_, x, y), z in zip(left, drawn, strict=True)]
    assert_found(found, lambda model: looped(model, noisy))


@pytest.mark.parametrize("close", [True, False])
def test_labels_come_later(setting: Setting, *, close: bool) -> None:
    found = play(setting.world, "live", BAYES, delay="20m", close=close)
    asked = [(x, y, setting.events[place]["at"]) for place, x, y in setting.examples()]
    assert_found(found, lambda model: queued(model, asked, 1200, close=close))


@pytest.mark.parametrize("order", ["time", "reversed"])
def test_another_order(setting: Setting, order: str) -> None:
    found = play(setting.world, "live", BAYES, order=order)
    examples = list(setting.examples())
    if order == "time":
        examples.sort(key=lambda each: setting.events[each[0]]["at"])
    else:
        examples.reverse()
    assert_found(found, lambda model: looped(model, [(x, y) for _, x, y in examples]))


def test_a_shuffle_follows_the_seed_alone(setting: Setting) -> None:
    one, two, other = (play(setting.world, "live", order="shuffle", seed=seed) for seed in (1, 1, 2))
    scores = [each.outcomes[0].scores for each in (one, two, other)]
    assert scores[0] == scores[1] != scores[2]
    assert one.outcomes[0].learned == len(setting.plain())


COMPOSED: dict[str, Any] = {
    "skip_range": ["0:30-60"],
    "without": ["where a > 4"],
    "drop": ["c"],
    "shift": ["b=-1"],
    "noise": ["a=0.5"],
    "delay": "20m",
    "order": "time",
    "seed": 3,
}


def composed(setting: Setting) -> list[tuple[X, bool, int]]:
    gone = list(setting.examples(gone=lambda p, e: e["a"] > 4 or (p[0] == 0 and 30 <= p[1] < 60)))
    drawn = gaussian(3, "a", [place for place, _, _ in gone])
    changed = [
        ({"a": x["a"] + 0.5 * float(z), **({"b": x["b"] - 1} if "b" in x else {})}, y, setting.events[place]["at"])
        for (place, x, y), z in zip(gone, drawn, strict=True)
    ]
    return sorted(changed, key=lambda each: each[2])


def test_all_together(setting: Setting) -> None:
    found = play(setting.world, "live", BAYES, **COMPOSED)
    asked = composed(setting)
    assert_found(found, lambda model: queued(model, asked, 1200))
    assert len(found.changes) == 7


def test_through_the_command_by_one_worker_and_by_two(setting: Setting) -> None:
    words = ["--learner", "live", "--learner", BAYES, "--no-close"]
    for name, value in COMPOSED.items():
        for each in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(each)]
    one, two = (setting.world.json("backtest", *words, "--workers", workers) for workers in "12")
    for found in (one, two):
        for candidate in found["candidates"]:
            del candidate["seconds"]
        del found["run"]
    assert one == two
    asked = composed(setting)
    for candidate, learner in zip(one["candidates"], (SCALED, BAYES), strict=True):
        bare = queued(MODELS[learner](), asked, 1200, close=False)
        assert {name: spans["cumulative"] for name, spans in candidate["scores"].items()} == bare.scores
        assert (candidate["learned"], candidate["pending"]) == (bare.learned, bare.pending)
    assert one["changes"]
    assert one["replays_live"] is None
    assert one["verdict"]["metric"] == "Accuracy"


def test_what_each_feature_is_good_for(setting: Setting) -> None:
    found = play(setting.world, necessity=True)
    assert [each.drop for each in found.candidates] == [(), ("a",), ("b",), ("c",)]
    for outcome, candidate in zip(found.outcomes.values(), found.candidates, strict=True):
        left = [({name: x[name] for name in x if name not in candidate.drop}, y) for x, y in setting.plain()]
        bare = looped(MODELS[SCALED](), left)
        assert {name: spans["cumulative"] for name, spans in outcome.scores.items()} == bare.scores
    assert found.replays_live is True, "the whole learner saw what it had seen live"


def test_from_a_version_the_live_learner_alone_goes_on(setting: Setting) -> None:
    """It has a scaler that has learned; the other begins with one that has not."""
    found = play(setting.world, "live", BAYES, start="4", skip_range=["0:300-320"])
    before = {
        place for number in range(1, 5) for _, place in read_by(setting.model, setting.model.version(str(number)))
    }
    model = MODELS[SCALED]()
    for place, x, y in setting.examples():
        if place in before:
            model.learn_one(x, y)
    rest = setting.plain(gone=lambda place, _: place in before or (place[0] == 0 and 300 <= place[1] < 320))
    expected = [looped(model, rest), looped(MODELS[BAYES](), rest)]
    for outcome, bare in zip(found.outcomes.values(), expected, strict=True):
        assert {name: spans["cumulative"] for name, spans in outcome.scores.items()} == bare.scores
        assert outcome.learned == bare.learned == len(rest)


def rolled(setting: Setting, version: int, at: Mapping[int, int], *, stop: Mapping[int, int] | None = None) -> Bare:
    """The live model up to the first event at or behind a place; then what a version had learned, on the rest."""
    known = {place for n in range(1, version + 1) for _, place in read_by(setting.model, setting.model.version(str(n)))}
    live, other, scores, learned = MODELS[SCALED](), MODELS[SCALED](), Scores(), 0
    for place, x, y in setting.examples():
        if place in known:
            other.learn_one(x, y)
    first = next(n for n, (p, offset) in enumerate(setting.order) if offset >= at[p])
    before = set(setting.order[:first])
    assert known <= before
    for place, x, y in setting.examples():
        if stop is None or place[1] < stop[place[0]]:
            model = live if place in before else other
            scores.update(y, model.predict_proba_one(x))
            model.learn_one(x, y)
            learned += 1
    return Bare(scores.get(), learned)


ROLLBACKS: list[tuple[str, dict[int, int] | None, list[str]]] = [
    ("0:300,1:210", {0: 300, 1: 210}, []),
    ("v:4", None, []),
    ("v:7", None, []),
    ("0:600,1:470", {0: 600, 1: 470}, []),
    ("0:600,1:470", {0: 600, 1: 470}, ["0:700,1:500"]),
    ("v:5", None, ["v:7"]),
    ("1970-01-01T02:30:00Z", None, []),
]


@pytest.mark.parametrize(("at", "place", "end"), ROLLBACKS, ids=[" ".join((at, *end)) for at, _, end in ROLLBACKS])
def test_as_if_rolled_back(setting: Setting, at: str, place: dict[int, int] | None, end: list[str]) -> None:
    found = play(setting.world, rollback_at=at, until=[*end, "v:3"])
    if at.startswith("v:"):
        place = next_of(setting, at)
    elif place is None:
        moment = 2.5 * 3600
        place = {
            p: min(n for (q, n), e in setting.events.items() if q == p and (p, n) not in GARBAGE and e["at"] >= moment)
            for p in (0, 1)
        }
    assert place is not None
    stop = None
    if end:
        stop = next_of(setting, end[0]) if end[0].startswith("v:") else {0: 700, 1: 500}
    expected = rolled(setting, 3, place, stop=stop)
    assert [each.name for each in found.candidates] == ["live", "rolled back to v:3"]
    outcome = found.outcomes[1]
    assert outcome.error is None
    assert {name: spans["cumulative"] for name, spans in outcome.scores.items()} == expected.scores
    assert outcome.learned == expected.learned == found.outcomes[0].learned
    assert found.replays_live is True, "the one that was not rolled back is the live one"
    assert expected.scores != {name: spans["cumulative"] for name, spans in found.outcomes[0].scores.items()}


def next_of(setting: Setting, text: str) -> dict[int, int]:
    (at,) = setting.model.version(text.removeprefix("v:")).position.next_offsets().values()
    return {0: at[0], 1: at[1]}


def test_it_is_what_a_rollback_with_skip_would_have_come_to(tmp_path: Path) -> None:
    """Another model is trained live, rolled back in fact, and trained on."""
    scores = []
    for fact in (False, True):
        world = World(tmp_path / str(fact))
        world.folder.mkdir()
        world.configure(log="file:topic", learner=SCALED, more=MORE)
        events = made(700, 9)
        world.write_events("topic/0.jsonl", events[:500])
        model = train(world)
        if fact:
            world.run("rollback", "3", "--skip", "--reason", "worse")
        world.write_events("topic/0.jsonl", events)
        model = train(world)
        if fact:
            head = model.head()[0]
            scores.append(head.proof.scores["Accuracy"]["cumulative"] * head.accounts.learned)
        else:
            known = model.version("3").accounts.learned
            found = play(world, rollback_at="500", until=["3"], since="500", start=str(_at(model, 500)))
            outcome = found.outcomes[1]
            rest = outcome.scores["Accuracy"]["cumulative"] * outcome.learned
            third = model.version("3").proof.scores["Accuracy"]["cumulative"] * known
            scores.append(rest + third)
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)


@pytest.mark.parametrize("until", [None, "1970-01-01T03:00:00Z"])
def test_with_a_log_of_labels_too(tmp_path: Path, until: str | None) -> None:
    """Where both logs are merged by their times as they are read, against a model that was rolled back in fact."""
    found: list[Any] = []
    stop = 12_000 if until is None else 10_800
    for fact in (False, True):
        world = World(tmp_path / str(fact))
        world.folder.mkdir()
        joined(world, 4000)
        model = train(world)
        if fact:
            joined(world, 8000)
            train(world)
            world.run("rollback", "3", "--skip", "--reason", "worse")
            joined(world, stop)
            head = train(world).head()[0]
            found.append((head.accounts.learned, head.accounts.pending, head.proof.details["labels"]["asked"]))
            found.append(play(world, answers=True, close=False).outcomes[0].answers.numbers[-40:])
        else:
            joined(world, 12_000)
            ends = ["v:3"] if until is None else [until, "v:3"]
            outcome = play(world, rollback_at="1970-01-01T02:13:20Z", until=ends, close=False, answers=True).outcomes[1]
            assert model.version("3").accounts.pending > 5
            found.append((*outcome.accounts[:2], outcome.details["labels"]["asked"]))
            found.append(outcome.answers.numbers[-40:])
    assert found[:2] == found[2:]


@pytest.mark.parametrize(("labels", "middle"), [(35, 35), (45, 40), (5, 30)], ids=["within", "behind", "before"])
def test_merged_logs_are_cut_within_what_is_read_of_them(setting: Setting, labels: int, middle: int) -> None:
    """A place may lie behind the end of the range in one log, and before its beginning in the other."""
    version = replace(setting.model.version("1"), position=Position({}))
    topics = {"e": TopicPosition("x", {0: Cursor(10)}), "l": TopicPosition("y", {0: Cursor(30)})}
    begins, ends = {"e": {0: 10}, "l": {0: 30}}, {"e": {0: 50}, "l": {0: 40}}
    course = Course((Stretch(Segment(), Position(topics), ends=ends),), begins, ends, {})
    first, second = turned_back(course, {"e": {0: 20}, "l": {0: labels}}, version).stretches
    assert (first.position.next_offsets(), first.ends, first.model) == (begins, {"e": {0: 20}, "l": {0: middle}}, None)
    assert (second.position.next_offsets(), second.ends, second.model) == (first.ends, ends, 1)


def joined(world: World, moment: int) -> None:
    """Let both logs have what came before a moment."""
    labels = '[labels]\nlog = "file:labels"\nmoment = "known"\nid = "id"\n'
    world.configure(
        log="file:topic",
        learner=SCALED,
        more='moment = "at"\nid = "id"\nignore = ["id", "at"]\n'
        f'{labels}[validation]\nmetrics = ["Accuracy", "LogLoss"]\n[snapshots]\nevery_events = 60\n',
    )
    events = [{**event, "id": n, "at": 20 * n} for n, event in enumerate(made(600, 4))]
    known = sorted((event["at"] + 37 * (n % 11), n) for n, event in enumerate(events))
    world.write_events("topic/0.jsonl", [{k: e[k] for k in e if k != "y"} for e in events if e["at"] < moment])
    world.write_events(
        "labels/0.jsonl", [{"id": n, "known": at, "y": events[n]["y"]} for at, n in known if at < moment]
    )


def _at(model: ModelStore, offset: int) -> int:
    """Return the version that stands at an offset."""
    return next(v.version for v in model.versions() if v.position.next_offsets() == {"topic": {0: offset}})


def test_a_version_without_bytes_is_refused_in_words(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure(log="file:topic", learner=SCALED, more=MORE)
    world.write_events("topic/0.jsonl", made(500, 9))
    train(world)
    world.run("expire", "--keep-last", "1")
    for words in (["--start", "2"], ["--rollback-at", "400", "--to", "v:2"]):
        told = world.run("backtest", *words, code=1).stderr
        assert "its bytes were deleted by retention" in told
        assert "choose a version" in told


REFUSED_ROLLBACKS: list[tuple[list[str], str]] = [
    (["--rollback-at", "0:300,1:210"], "expected --to V with --rollback-at"),
    (["--rollback-at", "0:9000,1:9000", "--to", "v:3"], "found 9000"),
    (["--rollback-at", "0:760,1:530", "--to", "v:3"], "within the range"),
    (["--rollback-at", "0:300,1:210", "--to", "v:99"], "99"),
    (
        ["--rollback-at", "0:300,1:210", "--to", "v:3", "--learner", "naive_bayes.GaussianNB()"],
        "the live learner alone",
    ),
    (["--rollback-at", "0:300,1:210", "--to", "v:3", "--drop", "a"], "the live learner alone"),
    (["--rollback-at", "0:300,1:210", "--to", "v:3", "--save"], "--save"),
    (["--rollback-at", "v:3", "--to", "v:5"], "expected a version that had learned nothing from"),
    (["--rollback-at", "v:3", "--to", "v:2", "--from", "v:4"], "within the range"),
]
"""What --rollback-at refuses."""


REFUSED: list[tuple[list[str], str]] = [
    (["--drop", "zz"], "expected a feature"),
    (["--shift", "zz=+1"], "zz"),
    (["--noise", "zz=1sd"], "zz"),
    (["--drop", "a", "--shift", "a=+1"], "--drop takes out"),
    (["--without", "99"], "none with the number 99"),
    (["--without", "whatever"], "in --without"),
    (["--without", "where a >"], "expected a condition"),
    (["--skip-range", "9:1-2"], "expected one of the partitions"),
    (["--skip-range", "10..20"], "expected PARTITION:START-STOP"),
    (["--skip-range", "v:3..v:99"], "99"),
    (["--order", "sideways"], "expected --order as one of"),
    (["--delay", "soon"], "--delay"),
    (["--delay", "1h", "--noise", "a=worst:1"], "worst"),
    (["--delay", "20m", "--start", "4"], "expected a version that was made with labels that come later"),
    (["--save", "--drop", "a"], "--save"),
    (["--save", "--delay", "1h"], "--save"),
    (["--save", "--necessity"], "--save"),
    (["--save", "--order", "time"], "--save"),
    *REFUSED_ROLLBACKS,
]


@pytest.mark.parametrize(("words", "expected"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_cannot_be_is_refused_in_words(setting: Setting, words: list[str], expected: str) -> None:
    before = setting.model.versions()[-1].version
    done = setting.world.run("backtest", *words, code=2)
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert setting.model.versions()[-1].version == before


@pytest.mark.parametrize("words", [("--delay", "1h"), ("--order", "time")])
def test_a_log_of_labels_says_itself_when_they_came(tmp_path: Path, words: tuple[str, str]) -> None:
    world = World(tmp_path)
    world.write_events("topic/0.jsonl", [{"id": n, "a": n % 7, "at": n} for n in range(30)])
    world.write_events("labels/0.jsonl", [{"id": n, "y": n % 2 == 0, "at": n + 9} for n in range(30)])
    world.configure(
        log="file:topic",
        more='moment = "at"\nid = "id"\n[labels]\nlog = "file:labels"\nmoment = "at"\nid = "id"\n',
    )
    assert len(play(world, SCALED).outcomes) == 1
    with pytest.raises(ConfigError, match=f"expected labels in the log of events for {words[0]}"):
        play(world, SCALED, **{words[0].removeprefix("--"): words[1]})
