"""One model's life in this process, step by step, each of which may be killed or have another amid it.

A kill is a store that lets no more be written: what a process leaves behind is what it has written until then.
"""

from __future__ import annotations

import contextlib
import io
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection

import stream.decode
import stream.owner
import stream.runs
from learners import Learner
from store import ModelStore, Store
from store.errors import Fenced, RebuildOutdated, Refused
from store.history import History
from store.types import Segment, Version
from stream.commands import moving, quarantining, rebuilding
from stream.config import read_config
from stream.consumer import Options, consume
from stream.owner import Process, Vitals
from stream.replay import verify
from stream.selector import Selector, read_selector
from stream.sources import open_feed
from stream.stop import Stop
from tests.simulation.oracle import EVENTS, KINDS, LABELS, Kind, Lines, Made, Oracle, Place, event, label
from tests.world import World

NONE = float("nan")  # compares with nothing
WHERES: dict[str, Callable[[Made], bool]] = {
    "s == 's1'": lambda made: made.sensor == "s1",
    "a > 1.2": lambda made: made.numbers.get("a", NONE) > 1.2,
    "s in ('s2', 's3') and (b < -0.5 or a < -1)": lambda made: (
        made.sensor in ("s2", "s3") and (made.numbers.get("b", NONE) < -0.5 or made.numbers.get("a", NONE) < -1)
    ),
}
BEGAN = 1_000_000


class Killed(BaseException):
    """The process was killed."""


@dataclass(frozen=True)
class Ask:
    """Which events: numbers that are brought to what there is. Times in tenths of what has come so far."""

    offsets: tuple[tuple[int, int, int], ...] = ()
    since: int | None = None
    until: int | None = None
    where: str | None = None


@dataclass
class Entry:
    """An entry of the quarantine, as the story knows it. `changes` are (revision, active, how it was released)."""

    topic: str
    match: Callable[[Place, Made], bool]
    changes: list[tuple[int, bool, str | None]] = field(default_factory=list)

    def at(self, revision: int) -> tuple[int, bool, str | None] | None:
        """Return the last change up to a revision."""
        return max((change for change in self.changes if change[0] <= revision), default=None, key=lambda each: each[0])


@dataclass
class Story:
    """A world, and a book of all that was done to it."""

    world: World
    store: Store
    kind: Kind
    partitions: int
    later: str
    source: random.Random
    patch: pytest.MonkeyPatch
    lines: Lines = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    writes_left: int | None = None
    amid: tuple[int, Callable[[], None]] | None = None
    now: int = BEGAN
    made: int = 0
    processes: int = 0
    checked: set[int] = field(default_factory=set)
    segments: dict[int, Segment] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)

    def begin(self, name: str, every: int) -> None:
        """Write the configuration, and put the story's hands on the store and the clock's places."""
        labels = {
            "": "",
            "moment": '[labels]\nmoment = "known_at"\n',
            "log": 'id = "id"\n[labels]\nlog = "file:labels"\nmoment = "told_at"\n',
        }[self.later]
        self.world.configure(
            log="file:topic",
            learner=KINDS[name].recipe,
            task=self.kind.task,
            more=(
                f'moment = "at"\nignore = ["s", "at"]\n{labels}'
                '[schema]\na = { type = "number", required = true }\nb = { type = "number", required = true }\n'
                f"[validation]\nmetrics = {self.kind.names}\nwindow = 10\n"
                f'[snapshots]\nevery_events = {every}\nevery = "1h"\nfork_from = "{every % 2}h"'
            ),
        )
        topics = [EVENTS, LABELS] if self.later == "log" else [EVENTS]
        self.lines = {topic: {partition: [] for partition in range(self.partitions)} for topic in topics}
        self.patch.setattr(stream.owner, "WATCH_S", 0.0)
        self.patch.setattr(Process, "this", self._process)
        self.patch.setattr(rebuilding, "progress", self._progress)
        self.patch.setattr(History, "_writing", _counted(History._writing, self))
        self.patch.setattr(Store, "open", lambda *_, **__: self.store)  # one for all stories: it has learned its SQL
        self.patch.setattr(Store, "close", lambda _: None)

    def _process(self) -> Process:
        """Return another process each time, one that is gone as soon as somebody looks."""
        self.processes += 1
        return Process("here", 2_000_000_000 + self.processes, 0.0)

    @contextmanager
    def _progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        yield lambda _: self._amid()

    def _amid(self) -> None:
        """Let happen what is to happen amid another step."""
        if self.amid is not None:
            left, act = self.amid
            self.amid = (left - 1, act) if left else None
            if not left:
                self.happened.append("amid")
                act()

    @property
    def path(self) -> Path:
        return self.world.config

    def open(self) -> ModelStore | None:
        """Open the store; None where there is no version yet."""
        return self.model if self.model.exists() else None

    @property
    def model(self) -> ModelStore:
        return self.store.model(self.world.name)

    def segment(self, version: int) -> Segment:
        """Return the segment of a version; that never changes."""
        if version not in self.segments:
            self.segments[version] = self.model.segment(version)
        return self.segments[version]

    # -- what may happen

    def live(self, act: Callable[[], None], *, kill: int | None, amid: tuple[int, Callable[[], None]] | None) -> None:
        """Do something, until it is killed after so many writes; or another thing happens amid it."""
        self.writes_left, self.amid = kill, amid
        self.happened.clear()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                act()
        except Killed:
            pass
        except (RebuildOutdated, Fenced):
            assert "amid" in self.happened, "though nothing happened amid it"
        finally:
            self.writes_left = self.amid = None

    def grow(self, counts: list[int]) -> None:
        """Let events, and their labels, come to the logs."""
        for partition, count in zip(range(self.partitions), counts * self.partitions, strict=False):
            for _ in range(count):
                self.now += self.source.choice([0, 1, 1, 4])
                self.made += 1
                at = self.now - (20 if self.source.random() < 0.05 else 0)
                made = event(self.source, self.kind, at, number=self.made, later=self.later)
                self._append(EVENTS, partition, made)
                if self.later == "log" and made.x is not None and self.source.random() < 0.95:
                    self._append(LABELS, self.source.randrange(self.partitions), label(self.source, made))

    def run_ahead(self) -> None:
        """Let an event come whose time is two days ahead of now: it is held, whenever it is read again."""
        at = int(time.time()) + 172_800
        made = event(self.source, self.kind, at, number=0, later=self.later)
        self._append(EVENTS, 0, replace(made, x=None))

    def wait(self) -> None:
        """Let ten days go by."""
        later = SimpleNamespace(time_ns=lambda: time.time_ns() + 864_000 * 10**9)
        self.patch.setattr(stream.decode, "time", later)

    def _append(self, topic: str, partition: int, made: Made) -> None:
        self.lines[topic][partition].append(made)
        for each in range(self.partitions):
            path = self.world.folder / topic / f"{each}.jsonl"
            path.parent.mkdir(exist_ok=True)
            with path.open("ab") as out:
                out.write(made.line + b"\n" if each == partition else b"")

    def train(self, *, close: bool = False) -> None:
        """Train to the end."""
        consume(read_config(self.path), Options(until_end=True, close=close), Stop(), _Screen(self._amid))

    def add(self, ask: Ask, *, labels: bool, confirmed: bool) -> None:
        """Quarantine."""
        if self.open() is None:
            return
        topic = LABELS if labels and self.later == "log" else EVENTS
        if topic == LABELS:
            ask = Ask(ask.offsets, ask.since, ask.until)
        selector, match = self._meant(ask, topic)
        if selector == Selector():
            return
        try:
            quarantining.add(
                self.path,
                selector,
                labels=topic == LABELS,
                confirmed=confirmed,
                dry_run=False,
                reason="suspect",
                as_json=True,
            )
        finally:  # a kill leaves it whole, or not at all
            revision, entries = self.model.quarantine()
            if len(entries) > len(self.entries):
                self.entries.append(Entry(topic, match, [(revision, True, None)]))
            else:
                assert self.writes_left == 0

    def _meant(self, ask: Ask, topic: str) -> tuple[Selector, Callable[[Place, Made], bool]]:
        stretches: dict[int, list[tuple[int, int]]] = {}
        for partition, start, count in ask.offsets:
            lines = self.lines[topic][partition % self.partitions]
            first = start % (len(lines) + 5)
            stretches.setdefault(partition % self.partitions, []).append((first, first + 1 + count))
        since, until = (
            None if tenths is None else BEGAN + (self.now - BEGAN) * tenths // 10 for tenths in (ask.since, ask.until)
        )
        if since is not None and until is not None and since >= until:
            until = since + 1
        if ask == Ask():
            return Selector(), lambda _place, _made: False
        selector = read_selector(
            offsets=[f"{p}:{start}-{stop}" for p, several in stretches.items() for start, stop in several],
            since=None if since is None else str(since),
            until=None if until is None else str(until),
            where=ask.where,
        )

        def match(place: Place, made: Made) -> bool:
            _, partition, offset = place
            return (
                (not stretches or any(start <= offset < stop for start, stop in stretches.get(partition, ())))
                and (since is None or (made.at is not None and made.at >= since))
                and (until is None or (made.at is not None and made.at < until))
                and (ask.where is None or WHERES[ask.where](made))
            )

        return selector, match

    def release(self, number: int, how: str) -> None:
        """Release one of the active entries."""
        active = [number for number, entry in enumerate(self.entries) if entry.changes[-1][1]]
        if not active:
            return
        chosen = active[number % len(active)]
        if self.later == "log":
            how = "rewrite"
        with self._changed(chosen, (False, how)):
            quarantining.release(self.path, chosen + 1, how, reason="it was none", as_json=True)
        if how == "rewrite":
            self.rebuild()

    def confirm(self, number: int) -> None:
        """Confirm one of the entries."""
        active = [number for number, entry in enumerate(self.entries) if entry.changes[-1][1]]
        if active:
            chosen = active[number % len(active)]
            with self._changed(chosen, (True, None)):
                quarantining.confirm(self.path, chosen + 1, reason="seen", as_json=True)

    @contextmanager
    def _changed(self, number: int, change: tuple[bool, str | None]) -> Iterator[None]:
        """Note in the book what is changed in the store: a kill leaves it whole, or not at all."""
        before = self.model.quarantine()[0]
        try:
            yield
        finally:
            revision = self.model.quarantine()[0]
            if revision > before:
                self.entries[number].changes.append((revision, *change))
            else:
                assert self.writes_left == 0

    def roll_back(self, number: int, mode: str) -> None:
        """Move head back to a version of its lineage, or of all."""
        model = self.open()
        if model is None:
            return
        line = [version.version for version in model.lineage(model.head()[0].version)]
        every = [version.version for version in model.versions()]
        choice = (line if number % 3 else every)[:-1]
        with contextlib.suppress(Refused):
            if mode == "undo":
                moving.rollback(self.path, None, mode="rewind", ref="head", undo=True, reason="no", as_json=True)
            elif choice and model.version(to := choice[number % len(choice)]).kind != "closing":
                moving.rollback(self.path, str(to), mode=mode, ref="head", undo=False, reason="back", as_json=True)

    def rebuild(self) -> None:
        """Rebuild; then check that the order is that of what it stands for, with the events taken out."""
        model = self.open()
        if model is None:
            return
        begun = len(model.rebuilds())
        rebuilding.rebuild(self.path, rebuilding.Wishes(protect=True), as_json=True)
        if len(model.rebuilds()) > begun and model.rebuilds()[-1].state == "done" and "amid" not in self.happened:
            done = model.rebuilds()[-1]
            assert self.order(model, done.tip) == self.expected_order(model, done.covers, done.revision)

    # -- what must be so

    def settle(self) -> ModelStore:
        """Train and rebuild until nothing is left to be done."""
        self.live(self.train, kill=None, amid=None)
        self.live(self.rebuild, kill=None, amid=None)
        self.live(self.train, kill=None, amid=None)
        model = self.model
        before = model.rebuilds()
        self.live(self.rebuild, kill=None, amid=None)
        assert model.rebuilds() == before, "there was something to rebuild after a rebuild"
        return model

    def check(self, *, recomputed: bool = False) -> None:
        """Check every version that there is, by all the lineages; `recomputed`: also by verify."""
        model = self.open()
        if model is None:
            return
        self._check_book(model)
        self._check_skips(model)
        versions = {version.version: version for version in model.versions()}
        parents = {version.parent for version in versions.values()}
        for leaf in versions.keys() - parents:
            line = model.lineage(leaf)
            if {version.version for version in line} <= self.checked:
                continue
            oracle = self._play(model, line)
            assert len({place for _, place in oracle.asked}) == len(oracle.asked), "an event was learned twice"
        self.checked |= versions.keys()
        if recomputed:
            self._verify(model)

    def _check_book(self, model: ModelStore) -> None:
        revision, entries = model.quarantine()
        assert len(entries) == len(self.entries)
        told = [
            [(change.revision, change.status != "released", change.release) for change in e.changes] for e in entries
        ]
        assert told == [entry.changes for entry in self.entries]
        assert revision == sum(map(len, told))

    def _check_skips(self, model: ModelStore) -> None:
        """What was skipped stays skipped by a rebuild."""
        for move in model.moves("head"):
            if move.kind == "rebuild":
                assert move.old is not None
                before, after = (
                    {
                        (run.topic, run.partition, offset)
                        for version in model.lineage(at)
                        for run in self.segment(version.version).runs
                        if run.kind == "skip"
                        for offset in range(run.start, run.stop)
                    }
                    for at in (move.old, move.new)
                )
                assert before == after, f"skipped before {move}, and not after it, or the other way round"

    def _play(self, model: ModelStore, line: list[Version]) -> Oracle:
        oracle = Oracle(self.kind, self.lines, self.later)
        for version in line:
            segment = self.segment(version.version)
            if version.version not in self.checked:
                self._check_judged(model, version, segment)
            oracle.play(segment, closing=version.kind == "closing")
            oracle.check(version)
        return oracle

    def _check_judged(self, model: ModelStore, version: Version, segment: Segment) -> None:
        """Nothing that is quarantined was learned, and nothing was held without a reason, as things were then."""
        held = {(hold.topic, hold.partition, hold.offset): hold.reason for hold in segment.holds}
        revision = version.quarantine
        if version.kind in ("skip", "closing", "genesis"):
            return
        for run in segment.runs:
            if run.kind not in ("read", "late"):
                continue
            for offset in range(run.start, run.stop):
                place = (run.topic, run.partition, offset)
                active, last = self.judged(place, revision)
                reason = held.get(place)
                told = (version.version, place, reason)
                if active:
                    assert reason == "quarantined", told
                elif self.made_at(place).x is None:
                    assert reason not in (None, "quarantined"), told
                elif version.covers is not None and last == "late":
                    assert reason in (None, "quarantined"), told
                else:
                    assert reason is None, told

    def made_at(self, place: Place) -> Made:
        topic, partition, offset = place
        return self.lines[topic][partition][offset]

    def judged(self, place: Place, revision: int) -> tuple[bool, str | None]:
        """Tell whether an entry that means a record is active, and how it was released last if none is."""
        made = self.made_at(place)
        last: tuple[int, str | None] = (0, None)
        for entry in self.entries:
            if entry.topic != place[0] or not entry.match(place, made):
                continue
            change = entry.at(revision)
            if change is not None and change[1]:
                return True, None
            if change is not None:
                last = max(last, (change[0], change[2]))
        return False, last[1]

    def check_settled(self, model: ModelStore) -> Oracle:
        """Each event that nobody holds was learned exactly once, all else never; head answers as the oracle does."""
        head = model.head()[0]
        line = model.lineage(head.version)
        revision = model.quarantine()[0]
        skipped = {
            (run.topic, run.partition, offset)
            for version in line
            for run in self.segment(version.version).runs
            if run.kind == "skip"
            for offset in range(run.start, run.stop)
        }
        oracle = self._play(model, line)
        expected = {
            place
            for partition, lines in self.lines[EVENTS].items()
            for offset, made in enumerate(lines)
            if made.x is not None
            and (place := (EVENTS, partition, offset)) not in skipped
            and not self.judged(place, revision)[0]
        }
        asked = [place for _, place in oracle.asked]
        assert sorted(asked) == sorted(expected)
        learner = Learner.restore(model.payload(head.version))
        for _ in range(20):
            x = {"a": self.source.gauss(0, 1), "b": self.source.gauss(0, 1)}
            found = learner.predict_one(x)
            oracle.check_answer(x, found.y_pred, None if found.probabilities is None else dict(found.probabilities))
        return oracle

    def order(self, model: ModelStore, version: int) -> list[tuple[str, Place]]:
        """Return what a version's lineage learned, in order."""
        oracle = Oracle(self.kind, self.lines, self.later)
        for each in model.lineage(version):
            oracle.play(self.segment(each.version))
        return oracle.asked

    def expected_order(self, model: ModelStore, version: int, revision: int) -> list[tuple[str, Place]]:
        """Return the order that a version's lineage read in, with what is quarantined taken out of it."""
        order: list[tuple[str, Place]] = []
        learned: set[Place] = set()
        for each in model.lineage(version):
            segment = self.segment(each.version)
            held = {(hold.topic, hold.partition, hold.offset): hold.reason for hold in segment.holds}
            bare = Oracle(self.kind, self.lines, self.later)
            for kind, place in bare.places(segment):
                active, last = self.judged(place, revision)
                waits = held.get(place) == "quarantined" and last == "late" and kind == "read"
                waits = waits and not self.to_be_rewritten(place, each.quarantine, revision)
                if place[0] != EVENTS or self.made_at(place).x is None or active or waits or place in learned:
                    continue
                learned.add(place)
                order.append((kind, place))
        return order

    def to_be_rewritten(self, place: Place, since: int, revision: int) -> bool:
        """Tell whether a record was released into its place since a revision: that comes before learning it late."""
        changes = [
            entry.at(revision)
            for entry in self.entries
            if entry.topic == place[0] and entry.match(place, self.made_at(place))
        ]
        return any(change is not None and change[2] == "rewrite" and change[0] > since for change in changes)

    def _verify(self, model: ModelStore) -> None:
        config = read_config(self.path)
        feed = open_feed(config, until_end=True, group="verify")
        try:
            for version in model.versions():
                found = verify(model, feed, config, version, lambda _: None)
                assert found.equal is True, found
        finally:
            feed.close()


class _Screen:
    """Shows nothing; tells after every batch."""

    def __init__(self, batch: Callable[[], None]) -> None:
        self._batch = batch

    def training(self, vitals: Vitals, learner: Learner) -> None:
        self._batch()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def _counted(real: Callable[[Any], AbstractContextManager[Connection]], story: Story) -> Callable[[Any], Any]:
    @contextmanager
    def writing(self: Any) -> Iterator[Connection]:
        if story.writes_left is not None:
            if story.writes_left <= 0:
                raise Killed
            story.writes_left -= 1
        with real(self) as connection:
            yield connection

    return writing
