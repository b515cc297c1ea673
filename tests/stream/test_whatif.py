"""What-ifs, each against what one would have done to the events by hand; however they come in batches."""

from __future__ import annotations

import json
import math
import pickle
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from river import linear_model, metrics, optim, preprocessing

from learners import LabelPolicy, Learner, Prediction, read_recipe
from store.entries import Change, Entry
from store.offsets import Offsets
from store.types import HeldEvent
from stream.backtest.adversary import teach_worst, worst
from stream.backtest.applied import Applied
from stream.backtest.noise import gaussian
from stream.backtest.spread import Spread
from stream.backtest.whatif import WhatIf, read_whatif
from stream.config import Config, read_config
from stream.errors import ConfigError
from stream.feed import Feed
from stream.gate import Verdicts, open_gate
from stream.genesis import settle_schema, start_of
from stream.held import QUARANTINED
from stream.log import EVENT, LABEL, Batch, Span
from stream.schema import Schema
from stream.sources import open_feed
from stream.stop import Stop
from tests.world import World

HOUR = 3_600_000_000
SIZES = (1, 7, 500)


def events_of(count: int = 40) -> list[dict[str, Any]]:
    """Numbers, text, a truth; now and then something is missing; times that go back at times."""
    draw = random.Random(7)
    events = []
    for n in range(count):
        event = {"a": draw.gauss(10, 2), "b": draw.gauss(-3, 5), "c": f"s{n % 3}", "d": n % 4 == 0}
        if n % 5 == 2:
            del event["a"]
        events.append({**event, "at": 60 * (n + draw.choice((0, 0, -3))), "y": n % 2 == 0})
    return events


FEEDS: list[Feed] = []
"""What a test opened."""


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while FEEDS:
        FEEDS.pop().close()


@dataclass
class Setting:
    """A feed that can be read through a what-if in batches of any size."""

    config: Config
    schema: Schema

    @classmethod
    def of(cls, folder: Path, events: Sequence[Any], more: str = 'moment = "at"\nignore = ["at"]') -> Setting:
        world = World(folder)
        world.write_events("events.jsonl", events)
        return cls.at(world, "file:events.jsonl", more)

    @classmethod
    def at(cls, world: World, log: str, more: str) -> Setting:
        config = read_config(world.configure(log=log, more=more))
        feed = open_feed(config, until_end=True, group="test")
        schema = settle_schema(feed, config, start_of(feed, config), Stop(), until_end=True, tell=lambda _: None)
        feed.close()
        assert schema is not None
        return cls(config, schema)

    def on(self, whatif: WhatIf, entries: Sequence[Entry] = ()) -> tuple[Feed, Applied]:
        whatif = whatif.of(self.schema, self.config)
        if whatif.needs_sd and not whatif.sds:
            spread = Spread(whatif.needs_sd)
            for part in self.read(replace(whatif, drop=(), shifts=(), noises=(), order="recorded"), 13, entries):
                spread.take(part.xs)
            whatif = whatif.with_sd(spread.sds())
        feed = open_feed(self.config, until_end=True, group="test")
        FEEDS.append(feed)
        return feed, pickle.loads(pickle.dumps(whatif)).on(feed, self.config, entries)

    def read(self, whatif: WhatIf, size: int, entries: Sequence[Entry] = ()) -> list[Verdicts]:
        feed, applied = self.on(whatif, entries)
        return list(applied.reorder(self._changed(feed, applied, size)))

    def _changed(self, feed: Feed, applied: Applied, size: int) -> Iterator[Verdicts]:
        gate = open_gate(feed, self.config, self.schema, live=True)
        feed.seek(start_of(feed, self.config))
        feed.ends = feed.end()
        while batch := feed.poll(0.1, size):
            batch = applied.skip(batch)
            topics = zip(feed.topics, (batch.spans, batch.labels), strict=False)
            known = {
                (topic, span.partition): {offset: fault.reason for offset, fault in applied.held(topic, span).items()}
                for topic, spans in topics
                for span in spans
            }
            judged = gate.judge(batch, known)
            before = pickle.dumps((judged.xs, judged.ys, judged.turns))
            changed = applied.change(judged)
            assert pickle.dumps((judged.xs, judged.ys, judged.turns)) == before  # others are given the same
            assert changed.held == judged.held
            yield changed


@dataclass
class Seen:
    """What came out, put together."""

    places: list[tuple[int, int]]
    xs: list[dict[str, Any]]
    ys: list[Any]
    moments: list[int]
    dues: list[int | None]
    held: list[HeldEvent]

    @classmethod
    def of(cls, parts: Sequence[Verdicts]) -> Seen:
        columns = [[each for part in parts for each in getattr(part, name)] for name in ("xs", "ys", "moments", "dues")]
        places = [place for part in parts for place in part.places()]
        return cls(places, *columns, [each for part in parts for each in part.held])

    @property
    def offsets(self) -> list[int]:
        return [offset for _, offset in self.places]


def seen(setting: Setting, entries: Sequence[Entry] = (), **asked: Any) -> Seen:
    """Read in batches of several sizes, and find the same."""
    whatif = read_whatif(**asked)
    found = [Seen.of(setting.read(whatif, size, entries)) for size in SIZES]
    for other in found[1:]:
        held = [replace(each, held_at=None) for each in other.held]
        assert replace(other, held=held) == replace(
            found[0], held=[replace(each, held_at=None) for each in found[0].held]
        )
    return found[0]


def features(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("a", "b", "c", "d") if name in event}


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting.of(tmp_path, events_of())


def test_nothing_asked_changes_nothing(setting: Setting) -> None:
    found, events = seen(setting), events_of()
    assert not WhatIf()
    assert not read_whatif(seed=5)
    assert (WhatIf().told(), WhatIf().to_json()) == ([], {})
    assert found.xs == [features(event) for event in events]
    assert (found.offsets, found.moments, found.held) == (list(range(40)), [], [])


def test_what_is_skipped_is_not_there_at_all(setting: Setting) -> None:
    found = seen(setting, skip_range=["0:3-6", "38..45", "1970-01-01T00:10:00Z..1970-01-01T00:12:00Z"])
    expected = [
        n for n, event in enumerate(events_of()) if not (3 <= n < 6 or n >= 38 or 600 <= event["at"] < 720)
    ]  # fmt: skip
    assert (found.offsets, found.held) == (expected, [])
    assert 30 < len(expected) < 36


def test_an_open_range_reaches_to_the_end(setting: Setting) -> None:
    late = seen(setting, skip_range=["..1970-01-01T00:20:00Z"])
    early = seen(setting, skip_range=["1970-01-01T00:20:00Z.."])
    assert late.offsets == [n for n, event in enumerate(events_of()) if event["at"] >= 1200]
    assert sorted(late.offsets + early.offsets) == list(range(40))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("offsets 0:3-6", lambda n, e: 3 <= n < 6),
        ("offsets 0:3-6, 0:9", lambda n, e: 3 <= n < 6 or n == 9),
        ("offsets 0:3-6; offsets 0:9", lambda n, e: 3 <= n < 6 or n == 9),
        ("where c == 's1' and b > 0", lambda n, e: e["c"] == "s1" and e["b"] > 0),
        ("where missing(a); offsets 0:0-20", lambda n, e: "a" not in e and n < 20),
        ("from 1970-01-01T00:10:00Z to 1970-01-01T00:20:00Z", lambda n, e: 600 <= e["at"] < 1200),
        ("from 1970-01-01 00:10; where d", lambda n, e: e["at"] >= 600 and e["d"]),
        ("to 1970-01-01T00:20:00Z", lambda n, e: e["at"] < 1200),
        ("where c == 'a;b' or c == 's2'", lambda n, e: e["c"] == "s2"),
    ],
)
def test_what_is_held_back_is_read_and_held(setting: Setting, text: str, meant: Any) -> None:
    found = seen(setting, without=[text])
    expected = [n for n, event in enumerate(events_of()) if meant(n, event)]
    assert expected
    assert found.offsets == [n for n in range(40) if n not in expected]
    assert [(each.offset, each.reason) for each in found.held] == [(n, QUARANTINED) for n in expected]


def test_words_are_those_that_a_selector_tells_itself_in() -> None:
    texts = [
        "offsets 0:5-9; offsets 2:1-2; where s == 's7'",
        "from 2026-01-01; to 2026-01-02",
        "key 'it''s;'",
        "key k1",
    ]
    texts += [
        'key "it\'s; a"; where n in (1, 2)',
        "from 2026-01-01T03:10:00.25+01:00 to 2026-01-02; where a == '\\';'",
    ]
    for whatif in (read_whatif(without=[text]) for text in texts):
        (told,) = whatif.told()
        assert read_whatif(without=[told.removeprefix("without ")]) == whatif
    assert read_whatif(without=["key k 1 "]).without[0].to_json() == {"key": "k 1"}  # type: ignore[union-attr]


def entry(number: int, *, released: bool, offsets: Sequence[tuple[int, int]], **selector: Any) -> Entry:
    made = Change(1, number, "suspect", None, "me", "why", datetime.now(UTC))
    changes = (made, replace(made, status="released", release="late")) if released else (made,)
    found = Offsets.of([("events", 0, *each) for each in offsets])
    return Entry(number, "events", selector, found, {0: 20}, changes)


def test_entries_mean_what_they_meant(setting: Setting) -> None:
    """As far as they were resolved their offsets, beyond by their selector; released ones as well."""
    entries = [
        entry(1, released=False, offsets=[(1, 5)], offsets_of="nobody"),
        entry(3, released=True, offsets=[(7, 9)], where="c == 's1'"),
    ]
    found = seen(setting, entries, without=["3", "offsets 0:8-10"])
    expected = [7, 8, 9, *(n for n in range(20, 40) if n % 3 == 1)]
    assert [each.offset for each in found.held] == expected
    assert sorted([*found.offsets, *expected]) == list(range(40))
    assert found.held[0].detail == "as recorded"
    assert read_whatif(without=["3"]).told() == ["without entry 3"]
    with pytest.raises(ConfigError, match="none with the number 4"):
        setting.on(read_whatif(without=["4"]), entries)


def test_keys_select_where_records_have_them(setting: Setting) -> None:
    feed, _ = setting.on(WhatIf())
    feed.events.identity = "another"  # as of a broker
    applied = read_whatif(without=["key k1"], skip_range=["0:2"]).on(feed, setting.config)
    span = Span(0, 0, 4, [0, 1, 2, 3], [b"{}"] * 4, [None] * 4, [b"k1", None, b"k1", b"k2"])
    assert list(applied.held("events", span)) == [0, 2]
    assert applied.held("labels", span) == {}
    (kept,) = applied.skip(Batch((span,))).spans
    assert (kept.offsets, kept.keys, kept.start, kept.stop) == ([0, 1, 3], [b"k1", None, b"k2"], 0, 4)


def test_a_dropped_feature_is_missing_in_every_event(setting: Setting) -> None:
    found = seen(setting, drop=["a", "c"])
    assert found.xs == [{"b": event["b"], "d": event["d"]} for event in events_of()]


def test_shifts_change_what_is_there(setting: Setting) -> None:
    found = seen(setting, shift=["a=+2sd", "b=*1.5", "b=-0.25"])
    sd = statistics.stdev(event["a"] for event in events_of() if "a" in event)
    for x, event in zip(found.xs, events_of(), strict=True):
        assert list(x) == list(features(event))  # nothing that was missing, and in the same order
        assert x.get("a") == (pytest.approx(event["a"] + 2 * sd) if "a" in event else None)
        assert x["b"] == event["b"] * 1.5 - 0.25


def test_sd_is_that_of_the_events_that_are_read(setting: Setting) -> None:
    held = [n for n, event in enumerate(events_of()) if event["b"] > 0]
    _, applied = setting.on(read_whatif(shift=["b=+1sd"], without=["where b > 0"], skip_range=["0:0-7"]))
    left = [event["b"] for n, event in enumerate(events_of()) if n not in held and n >= 7]
    assert applied.sds == {"b": pytest.approx(statistics.stdev(left))}


def test_the_spread_has_the_same_bits_in_all_batches() -> None:
    draw = random.Random(3)
    xs = [{"a": 1e9 + draw.random()} if draw.random() < 0.9 else {} for _ in range(1000)]
    found = set()
    for size in SIZES:
        spread = Spread({"a", "b"})
        for start in range(0, len(xs), size):
            spread.take(xs[start : start + size])
        found.add(tuple(spread.sds().items()))
    ((_, sd), b), *others = found
    assert (b, others) == (("b", 0.0), [])
    assert sd == pytest.approx(statistics.stdev(x["a"] for x in xs if x), rel=1e-6)


def test_noise_is_what_the_place_gives(setting: Setting) -> None:
    found = seen(setting, noise=["a=0.5", "b=0.1sd"], seed=4)
    sd = statistics.stdev(event["b"] for event in events_of())
    a, b = (gaussian(4, name, [(0, n) for n in range(40)]) for name in "ab")
    for n, (x, event) in enumerate(zip(found.xs, events_of(), strict=True)):
        assert list(x) == list(features(event))
        assert x["b"] == pytest.approx(event["b"] + 0.1 * sd * b[n])
        assert x.get("a") == (event["a"] + 0.5 * a[n] if "a" in event else None)
    other = seen(setting, noise=["a=0.5", "b=0.1sd"], seed=5)
    assert all(x["b"] != y["b"] for x, y in zip(found.xs, other.xs, strict=True))


def test_noise_for_all_is_for_every_number_that_has_none_of_its_own(setting: Setting) -> None:
    alone = seen(setting, noise=["a=0.5"])
    both = seen(setting, noise=["all=2", "a=0.5"])
    assert [x.get("a") for x in both.xs] == [x.get("a") for x in alone.xs]
    assert all(x["b"] != event["b"] for x, event in zip(both.xs, events_of(), strict=True))
    _, applied = setting.on(read_whatif(noise=["all=0.1sd"], drop=["a"]))
    assert [noise.feature for noise in applied.noises] == ["b"]
    assert [x.get("c") for x in both.xs] == [event["c"] for event in events_of()]


def test_noise_follows_places_not_batches(tmp_path: Path) -> None:
    """Two partitions: what comes with what does not matter."""
    world = World(tmp_path)
    for partition in (0, 1):
        world.write_events(f"topic/{partition}.jsonl", [{"a": float(n), "y": n % 2 == 0} for n in range(30)])
    setting = Setting.at(world, "file:topic/", "")
    found = []
    for size in SIZES:
        read = Seen.of(setting.read(read_whatif(noise=["a=1"]), size))
        found.append(dict(zip(read.places, (x["a"] for x in read.xs), strict=True)))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 60
    assert all(found[0][0, n] != found[0][1, n] for n in range(30))


def test_noise_is_normal_and_of_no_pattern() -> None:
    count = 100_000
    series = {
        "a": gaussian(1, "a", [(0, n) for n in range(count)]),
        "b": gaussian(1, "b", [(0, n) for n in range(count)]),
        "another seed": gaussian(2, "a", [(0, n) for n in range(count)]),
        "another partition": gaussian(1, "a", [(1, n) for n in range(count)]),
        "further on": gaussian(1, "a", [(0, n + 10**12) for n in range(count)]),
        "sparse": gaussian(1, "a", [(0, n << 20) for n in range(count)]),
    }
    series["later"] = [*series["a"][1:], 0.0]
    series["squares"] = [(each * each - 1) / math.sqrt(2) for each in series["a"]]
    error = 5 / math.sqrt(count)
    for name, numbers in series.items():
        assert abs(statistics.fmean(numbers)) < error, name
        if name != "squares":
            assert abs(statistics.fmean(each * each for each in numbers) - 1) < error * math.sqrt(2), name
            assert abs(statistics.fmean(abs(each) > 1.959963985 for each in numbers) - 0.05) < error * 0.22, name
            assert abs(statistics.fmean(each**4 for each in numbers) - 3) < error * math.sqrt(96), name
    for one, other in combinations(series, 2):
        assert abs(statistics.fmean(map(float.__mul__, series[one], series[other]))) < error, (one, other)


def test_noise_is_the_same_in_another_process() -> None:
    code = (
        "from stream.backtest.noise import gaussian; print([x.hex() for x in gaussian(3, 'f=', [(7, 123456789012)])])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77"}
    )
    assert done.stdout.strip() == str([x.hex() for x in gaussian(3, "f=", [(7, 123456789012)])])


def test_a_delay_sets_times_where_labels_came_along(setting: Setting) -> None:
    found = seen(setting, delay="1h")
    times = [event["at"] * 1_000_000 for event in events_of()]
    assert found.moments == times
    assert found.dues == [at + HOUR for at in times]
    whatif = read_whatif(delay="1h")
    assert whatif.labels(setting.config) == LabelPolicy()
    assert (WhatIf().labels(setting.config), whatif.told()) == (None, ["labels come 1:00:00 after their events"])


def test_a_delay_changes_the_times_of_labels_that_are_known(tmp_path: Path) -> None:
    events = [{**event, "came": event["at"] + 7} for event in events_of()]
    del events[5]["came"]
    events[6]["y"] = None
    setting = Setting.of(tmp_path, events, 'moment = "at"\nignore = ["at"]\n[labels]\nmoment = "came"')
    plain, found = seen(setting), seen(setting, delay="90s", without=["offsets 0:9"])
    assert plain.dues[4:8] == [events[4]["came"] * 10**6, None, events[6]["came"] * 10**6, events[7]["came"] * 10**6]
    expected = [None if n in (5, 6) else events[n]["at"] * 10**6 + 90_000_000 for n in range(40) if n != 9]
    assert found.dues == expected
    assert found.moments == [event["at"] * 10**6 for n, event in enumerate(events) if n != 9]
    assert read_whatif(delay="90s").labels(setting.config) is None


def test_delayed_labels_are_learned_as_a_queue_by_hand_would(setting: Setting) -> None:
    """A bare river loop with a queue: what is due is learned before the next question."""
    text = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.1))"
    scaler, last = preprocessing.StandardScaler(), linear_model.LogisticRegression(optim.SGD(0.1))
    model, accuracy = scaler | last, metrics.Accuracy()
    queue: list[tuple[int, dict[str, Any], bool, bool]] = []
    clock = 0
    for event in events_of():
        clock = max(clock, event["at"])
        while queue and min(queue, key=lambda each: each[0])[0] <= clock:
            first = min(queue, key=lambda each: each[0])
            queue.remove(first)
            accuracy.update(first[2], first[3])
            model.learn_one(first[1], first[2])
        x = {name: event[name] for name in ("a", "b") if name in event}
        queue.append((max(event["at"] + 600, clock), x, event["y"], model.predict_one(x)))
    whatif = read_whatif(delay="10m", drop=["c", "d"])
    for size in SIZES:
        learner = Learner.new(
            read_recipe(text, "binary"),
            features=setting.schema.names,
            metrics=["Accuracy"],
            window=10,
            labels=whatif.labels(setting.config),
        )
        for part in setting.read(whatif, size):
            part.teach(learner)
        assert (learner.pending, learner.learned) == (len(queue), 40 - len(queue))
        assert learner.scores()["Accuracy"]["cumulative"] == accuracy.get()
        assert 5 < len(queue) < 15


def test_times_of_records_count_where_no_field_is_named(setting: Setting, tmp_path: Path) -> None:
    config = setting.config.model_copy(
        update={"source": setting.config.source.model_copy(update={"moment": None, "ignore": ()})}
    )
    feed, _ = setting.on(WhatIf())
    applied = read_whatif(delay="1s").on(feed, config)
    span = Span(3, 0, 4, [0, 1, 2, 3], [b"{}"] * 4, [5, 6, None, 8], [None] * 4)
    judged = Verdicts([{}, {}], [True, False], [(3, [1, 3])], [], [], [], batch=Batch((span,)))
    changed = applied.change(judged)
    assert (changed.moments, changed.dues) == ([6000, 8000], [1_006_000, 1_008_000])
    with pytest.raises(ConfigError, match="found none at 3:2: its record has no timestamp") as found:
        applied.change(replace(judged, offsets=[(3, [2, 3])]))
    assert found.value.hint == "set [source] moment to the field that has it"


def test_an_event_without_a_time_is_told(tmp_path: Path) -> None:
    events = events_of()
    del events[11]["at"]
    setting = Setting.of(tmp_path, events)
    for asked in ({"delay": "1h"}, {"order": "time"}):
        with pytest.raises(ConfigError, match=r'found none at 0:11 in "at"') as found:
            setting.read(read_whatif(**asked), 7)  # type: ignore[arg-type]
        assert found.value.hint == 'hold it back: --without "offsets 0:11"'
        assert len(seen(setting, without=["offsets 0:11"], **asked).xs) == 39


def test_orders(tmp_path: Path) -> None:
    events: list[Any] = events_of(1200)
    events[3] = b"garbage"
    setting = Setting.of(tmp_path, events)
    there = [n for n in range(1200) if n != 3]
    times = {n: events[n]["at"] for n in there}
    in_time, back, mixed = (seen(setting, order=order) for order in ("time", "reversed", "shuffle"))
    assert in_time.offsets == sorted(there, key=lambda n: (times[n], n)) != there
    assert back.offsets == there[::-1]
    assert sorted(mixed.offsets) == there
    assert sum(n == m for n, m in zip(mixed.offsets, there, strict=True)) < 10
    assert abs(statistics.correlation(there, mixed.offsets)) < 5 / math.sqrt(1200)
    assert mixed.offsets != seen(setting, order="shuffle", seed=2).offsets
    parts = setting.read(read_whatif(order="time"), 7)
    assert [len(part.batch) for part in parts] == [1200, 0, 0]
    assert [len(part.xs) for part in parts] == [500, 500, 199]
    for found in (in_time, back, mixed):
        assert found.xs == [features(events[n]) for n in found.offsets]
        assert found.ys == [events[n]["y"] for n in found.offsets]
        assert [each.offset for each in found.held] == [3]
        assert (found.moments, found.dues) == ([], [])


def test_time_does_not_run_backwards_when_events_are_shuffled(setting: Setting) -> None:
    times = [event["at"] * 10**6 for event in events_of()]
    mixed, in_time = seen(setting, order="shuffle", delay="1h"), seen(setting, order="time", delay="1h")
    assert mixed.moments == times
    assert mixed.dues == [at + HOUR for at in times]
    assert in_time.moments == sorted(times)
    assert in_time.dues == [at + HOUR for at in sorted(times)]


def test_each_label_keeps_its_own_wait_when_events_are_reversed(tmp_path: Path) -> None:
    events = [{**event, "came": event["at"] + n} for n, event in enumerate(events_of())]
    events[4]["came"] = None
    setting = Setting.of(tmp_path, events, 'moment = "at"\nignore = ["at"]\n[labels]\nmoment = "came"')
    found = seen(setting, order="reversed")
    expected = [None if 39 - n == 4 else (event["at"] + 39 - n) * 10**6 for n, event in enumerate(events)]
    assert found.dues == expected
    assert found.ys == [event["y"] for event in reversed(events)]


def test_nothing_that_is_left_is_given_in_any_order(setting: Setting) -> None:
    found = seen(setting, order="shuffle", without=["offsets 0:0-40"])
    assert (found.xs, len(found.held)) == ([], 40)


def test_all_together_in_the_order_that_is_told(setting: Setting) -> None:
    asked: dict[str, Any] = {
        "skip_range": ["0:30-40"],
        "without": ["where d"],
        "drop": ["c"],
        "shift": ["a=+1sd", "b=*2"],
        "noise": ["all=0.5"],
        "delay": "1h",
        "order": "reversed",
    }
    found, events = seen(setting, **asked), events_of()
    left = [n for n in range(30) if not events[n]["d"]]
    sd = statistics.stdev(events[n]["a"] for n in left if "a" in events[n])
    noise = {name: gaussian(1, name, [(0, n) for n in range(40)]) for name in "ab"}
    assert found.offsets == left[::-1]
    for n, x in zip(reversed(left), found.xs, strict=True):
        expected = {"b": events[n]["b"] * 2 + 0.5 * noise["b"][n], "d": False}
        if "a" in events[n]:
            expected["a"] = pytest.approx(events[n]["a"] + sd + 0.5 * noise["a"][n])
        assert x == expected
    assert found.moments == [events[n]["at"] * 10**6 for n in left]
    assert len(found.held) == 8
    whatif = read_whatif(**asked).of(setting.schema, setting.config).with_sd({"a": 2.0})
    assert whatif.told() == [
        "skip offsets 0:30-40",
        "without where d",
        "drop c",
        "shift a by +1 sd (2 each)",
        "shift b to 2 times what it is",
        "noise on a with a standard deviation of 0.5, seed 1",
        "noise on b with a standard deviation of 0.5, seed 1",
        "labels come 1:00:00 after their events",
        "order reversed",
    ]
    assert json.loads(json.dumps(whatif.to_json())) == {
        "skip": [{"offsets": [[0, 30, 40]]}],
        "without": [{"where": "d"}],
        "drop": ["c"],
        "shift": [
            {"feature": "a", "by": 1.0, "times": False, "in_sd_of": 2.0},
            {"feature": "b", "by": 2.0, "times": True},
        ],
        "noise": [{"feature": "a", "sd": 0.5}, {"feature": "b", "sd": 0.5}],
        "delay_us": HOUR,
        "order": "reversed",
        "seed": 1,
    }  # fmt: skip


@pytest.fixture
def joined(tmp_path: Path) -> Setting:
    """Labels in a log of their own."""
    world = World(tmp_path)
    events = events_of()
    flights = [{k: v for k, v in {**e, "id": n, "at": 60 * n}.items() if k != "y"} for n, e in enumerate(events)]
    world.write_events("flights.jsonl", flights)
    labels = [{"id": n, "at": 60 * n + 150, "y": event["y"]} for n, event in enumerate(events)]
    world.write_events("arrivals.jsonl", labels)
    more = 'id = "id"\nmoment = "at"\nignore = ["at"]\n[labels]\nlog = "file:arrivals.jsonl"\nmoment = "at"'
    return Setting.at(world, "file:flights.jsonl", more)


def turns_of(setting: Setting, **asked: Any) -> list[Any]:
    found = [[turn for part in setting.read(read_whatif(**asked), s) for turn in part.turns or ()] for s in SIZES]
    assert found[0] == found[1] == found[2]
    return found[0]


def test_turns_are_changed_as_well(joined: Setting) -> None:
    plain = turns_of(joined)
    found = turns_of(joined, drop=["c"], shift=["a=+1sd"], noise=["b=2"])
    events = events_of()
    sd, noise = statistics.stdev(e["a"] for e in events if "a" in e), gaussian(1, "b", [(0, n) for n in range(40)])
    assert [turn._replace(x=None) for turn in found] == [turn._replace(x=None) for turn in plain]
    assert len(found) == 80
    for turn in (turn for turn in found if turn.x is not None):
        event = events[int(turn.id)]
        expected = {"b": event["b"] + 2 * noise[int(turn.id)], "d": event["d"]}
        assert turn.x == {**({"a": pytest.approx(event["a"] + sd)} if "a" in event else {}), **expected}


def test_what_is_skipped_of_two_logs(joined: Setting) -> None:
    """Offsets are those of events; a stretch of time was read from neither."""
    plain = turns_of(joined)
    found = turns_of(joined, skip_range=["0:3-6", "1970-01-01T00:10:00Z..1970-01-01T00:20:00Z"])
    gone = {"3", "4", "5"}
    assert found == [
        turn for turn in plain
        if not 600 <= turn.moment / 1e6 < 1200 and not (turn.x is not None and turn.id in gone)
    ]  # fmt: skip
    assert len(found) == 80 - 3 - 20


def test_what_is_held_of_two_logs(joined: Setting) -> None:
    plain, found = turns_of(joined), turns_of(joined, without=["where c == 's1'"])
    assert found == [turn for turn in plain if turn.x is None or turn.x["c"] != "s1"]


def test_records_that_are_left_keep_their_order_and_what_is_known_of_them(joined: Setting) -> None:
    feed, applied = joined.on(read_whatif(skip_range=["0:0-2", "0:3-4"]))
    spans = [Span(0, 0, 5, [0, 1, 2, 3, 4], [b'{"at": %d}' % n for n in range(5)], [None] * 5, [None] * 5)]
    labels = [Span(0, 0, 2, [0, 1], [b'{"at": 2}', b'{"at": 3}'], [None] * 2, [None] * 2)]
    batch = feed.again(spans, labels, {("flights", 0): {3, 4}})
    kept = applied.skip(batch)
    assert kept.merged is not None
    assert kept.spans[0].offsets == [2, 4]
    assert kept.labels == batch.labels
    assert kept.merged.order == [(LABEL, 0, 0), (EVENT, 0, 0), (EVENT, 0, 1), (LABEL, 0, 1)]
    assert kept.merged.ahead == {(EVENT, 0, 1)}


@pytest.mark.parametrize("asked", [{"delay": "1h"}, {"order": "time"}, {"order": "shuffle", "drop": ["a"]}])
def test_a_log_of_labels_has_its_own_times_and_order(joined: Setting, asked: Any) -> None:
    with pytest.raises(ConfigError, match="found a log of labels, arrivals"):
        joined.on(read_whatif(**asked))
    assert joined.on(read_whatif(drop=["a"], order="recorded"))


def test_the_worst_is_no_better_than_any_other_move() -> None:
    """A model whose losses go up and down in each feature on its own: all nine moves were tried."""
    model = lambda x: Prediction(x["a"] ** 2 - 3 * x["b"])  # noqa: E731
    draw = random.Random(1)
    for _ in range(200):
        x = {"a": draw.gauss(0, 1), "b": draw.gauss(0, 1)}
        y = 100.0
        every = [
            {"a": x["a"] + i * 0.5, "b": x["b"] + j * 0.2} for i in (-1, 0, 1) for j in (-1, 0, 1)
        ]  # fmt: skip
        expected = max(every, key=lambda each: abs(model(each).y_pred - y))
        assert worst(model, x, y, {"a": 0.5, "b": 0.2}) == expected


def test_the_worst_for_a_linear_model_is_against_its_weights(setting: Setting) -> None:
    """By hand: for a label that is true a feature goes down where its weight is positive, and the other way round."""
    text = "linear_model.LogisticRegression(optim.SGD(0.05))"
    model = linear_model.LogisticRegression(optim.SGD(0.05))
    accuracy, steps = metrics.Accuracy(), {"a": 1.5, "b": 0.75}
    for event in events_of():
        x = {name: event[name] for name in ("a", "b") if name in event}
        for name in x:
            weight = model.weights.get(name, 0.0)
            sign = (weight > 0) - (weight < 0)
            x[name] += steps[name] * (-sign if event["y"] else sign)
        accuracy.update(event["y"], model.predict_one(x))
        model.learn_one(x, event["y"])
    whatif = read_whatif(noise=["a=worst:1.5", "b=worst:0.75"], drop=["c", "d"])
    for size in SIZES:
        _, applied = setting.on(whatif)
        assert applied.adversarial
        learner = Learner.new(
            read_recipe(text, "binary"), features=setting.schema.names, metrics=["Accuracy"], window=10
        )
        for part in setting.read(whatif, size):
            applied.teach(learner, part)
        assert learner.scores()["Accuracy"]["cumulative"] == accuracy.get()
        assert dict(learner.model.weights) == pytest.approx(dict(model.weights), abs=1e-12)
    assert accuracy.get() < 0.5
    assert whatif.told()[-1] == "move b by 0.75 to where each candidate's prediction is worst"


def test_a_worst_event_that_fails_is_named_by_its_place() -> None:
    learner = Learner.new(
        read_recipe("linear_model.LinearRegression()", "regression"), features=["a"], metrics=["MAE"], window=10
    )
    broken = Verdicts([{"a": 1.0}, {"a": "text"}], [1.0, 2.0], [(0, [0, 1])], [], [], [])
    with pytest.raises(Exception, match="at event 1 of the batch"):
        teach_worst(learner, broken, {"b": 1.0})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"without": ["whatever"]}, "expected the number of an entry, or parts joined by `;`"),
        ({"without": [""]}, "expected the number of an entry"),
        ({"without": ["where a == 'b"]}, "expected the number of an entry"),
        ({"without": ["key 'a' b'"]}, "expected the number of an entry"),
        ({"without": ["key 'a' 'b' x"]}, "expected the number of an entry"),
        ({"without": ["key a; key b"]}, "expected one `key`"),
        ({"without": ["where a ="]}, "found no condition"),
        ({"without": ["from tomorrow"]}, "expected an ISO time"),
        ({"without": ["offsets 1-2"]}, "expected offsets as PARTITION:START-STOP"),
        ({"skip_range": ["yesterday"]}, "expected --skip-range as PARTITION:START-STOP or TIME..TIME"),
        ({"skip_range": [".."]}, "expected --skip-range as"),
        ({"skip_range": ["9..3"]}, "expected offsets as"),
        ({"skip_range": ["2026-01-02..2026-01-01"]}, "expected --from before --to"),
        ({"delay": "soon"}, "--delay: expected a duration"),
        ({"delay": "-1h"}, "--delay: expected a duration"),
        ({"shift": ["a"]}, "expected --shift as FEATURE="),
        ({"shift": ["=+1"]}, "expected --shift as FEATURE="),
        ({"shift": ["a=1"]}, r"expected \+NUMBER"),
        ({"shift": ["a=*2sd"]}, r"expected \+NUMBER"),
        ({"shift": ["a=+1e999"]}, r"expected \+NUMBER"),
        ({"noise": ["a=-1"]}, "expected a number above 0"),
        ({"noise": ["a=0"]}, "expected a number above 0"),
        ({"noise": ["a=nan"]}, "expected a number above 0"),
        ({"noise": ["a=1", "a=worst:1"]}, "expected one --noise for a feature"),
        ({"noise": ["a=1"], "drop": ["a"]}, "expected --noise of a feature that is there, found 'a'"),
        ({"shift": ["a=+1"], "drop": ["a"]}, "expected --shift of a feature that is there, found 'a'"),
        ({"order": "backwards"}, "expected --order as one of recorded, time, shuffle, reversed"),
    ],
)
def test_mistakes_are_told(asked: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as found:
        read_whatif(**asked)
    assert found.value.hint


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"drop": ["e"]}, "expected a feature for --drop"),
        ({"shift": ["c=+1"]}, "expected numeric features for --shift and --noise .* found 'c'"),
        ({"noise": ["d=1"]}, "expected numeric features"),
        ({"skip_range": ["1:3-4"]}, r"expected one of the partitions \[0\] of events, found 1"),
        ({"without": ["offsets 0:1; offsets 2:3"]}, "found 2"),
        ({"without": ["key k"]}, "expected a log whose records have keys"),
    ],
)
def test_what_does_not_fit_the_model_is_told(setting: Setting, asked: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        setting.on(read_whatif(**asked))


def test_bare_offsets_are_for_one_partition(tmp_path: Path) -> None:
    world = World(tmp_path)
    for partition in (0, 1):
        world.write_events(f"topic/{partition}.jsonl", [{"a": float(n), "y": n % 2 == 0} for n in range(9)])
    setting = Setting.at(world, "file:topic/", "")
    with pytest.raises(ConfigError, match=r"found bare offsets, and the partitions \[0, 1\]"):
        setting.on(read_whatif(skip_range=["2..4"]))
    assert len(Seen.of(setting.read(read_whatif(skip_range=["0:2-4", "1:0-9"]), 500)).xs) == 7


def test_times_are_there_or_it_is_told(tmp_path: Path) -> None:
    setting = Setting.of(tmp_path, events_of(), "")
    for asked in ({"skip_range": ["2026-01-01.."]}, {"without": ["from 2026-01-01"]}):
        with pytest.raises(ConfigError, match="found files without"):
            setting.on(read_whatif(**asked))


def test_the_worst_wants_labels_that_come_along(setting: Setting, joined: Setting) -> None:
    for place, asked in ((setting, {"delay": "1h"}), (joined, {})):
        with pytest.raises(ConfigError, match="expected labels that come with their events"):
            place.on(read_whatif(noise=["b=worst:1"], **asked))  # type: ignore[arg-type]


def test_weights_are_left_alone(tmp_path: Path) -> None:
    more = '[schema]\na = { type = "number" }\nb = { type = "number", min = 0, required = true }\n'
    more += '[validation]\nweight = "b"'
    events = [{**event, "b": abs(event["b"])} for event in events_of()]
    setting = Setting.of(tmp_path, events, more)
    for asked in ({"drop": ["b"]}, {"shift": ["b=+1"]}, {"noise": ["b=1"]}):
        with pytest.raises(ConfigError, match="that no weight is taken from, found 'b'"):
            setting.on(read_whatif(**asked))
    assert [x["b"] for x in seen(setting, noise=["all=1"]).xs] == [event["b"] for event in events]
