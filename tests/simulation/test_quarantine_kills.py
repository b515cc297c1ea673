"""Killed while it quarantines, releases or rebuilds: each goes on where it was, or has had no effect."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from learners import Learner
from store.types import Version
from tests.bare_loop import RECIPES, Place, assert_equals_river, assert_read_once, learned_late
from tests.simulation.death import dies
from tests.world import World, clean_up

pytestmark = pytest.mark.slow

SEED = 20261121
RECIPE = next(iter(RECIPES))
MORE = (
    'ignore = ["s"]\n[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n[snapshots]\nevery_events = 100\n'
)
ENDS = {0: 1500, 1: 1500}
ADD = ("quarantine", "add", "--where", "s == 's7'", "--reason", "s7 lies")


class Lies:
    """A model that has learned from a sensor that lies, in a folder; `trained` is one to begin with."""

    def __init__(self, folder: Path, trained: Path | None = None) -> None:
        source = random.Random(SEED)
        lines = {partition: [_event(source, at > 900) for at in range(count)] for partition, count in ENDS.items()}
        self.events = {(p, offset): event for p, events in lines.items() for offset, event in enumerate(events)}
        self.world = World(folder)
        if trained is not None:
            shutil.copytree(trained, folder, dirs_exist_ok=True)
        else:
            for partition, events in lines.items():
                self.world.write_events(f"topic/{partition}.jsonl", events)
            self.world.configure(log="file:topic", learner=RECIPE, more=MORE)
            self.world.train()
        self.model = self.world.open()

    def lies(self, place: Place) -> bool:
        return bool(self.events[place]["s"] == "s7")

    def example(self, place: Place) -> tuple[dict[str, float], bool]:
        event = self.events[place]
        return {name: event[name] for name in ("a", "b")}, event["y"]

    def assert_equals_river(self, *, held: bool) -> None:
        """Head is what a bare loop is without the lies (`held`), or with them."""
        probes = [{"a": x / 2, "b": x / 3} for x in range(-3, 4)]
        assert_equals_river(self.model, RECIPES[RECIPE](), self.example, lambda at: held and self.lies(at), probes)
        assert_read_once(self.model, ENDS)

    def assert_whole(self) -> None:
        """Head is at a version that is there as a whole, and is what it was when it was saved."""
        head = self.model.head()[0]
        Learner.restore(self.model.payload(head.version), head.proof.golden)
        revision, entries = self.model.quarantine()
        assert revision == sum(len(entry.changes) for entry in entries)
        meant = {place for place in self.events if self.lies(place)}
        for entry in entries:
            assert {(p, at) for _, p, start, stop in entry.offsets for at in range(start, stop)} == meant


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that has learned all there is."""
    folder = tmp_path_factory.mktemp("trained")
    Lies(folder)
    clean_up()
    return folder


@pytest.fixture
def model(tmp_path: Path, trained: Path) -> Lies:
    return Lies(tmp_path, trained)


def _event(source: random.Random, lying: bool) -> dict[str, Any]:  # noqa: FBT001 - it lies or not
    a, b, s = source.gauss(0, 1), source.gauss(0, 2), source.randrange(40 if lying else 7)
    return {"a": a, "b": b, "s": f"s{s}", "y": (a + b > 0) is (s != 7)}


def test_an_entry_is_made_or_not(model: Lies) -> None:
    head = model.model.head()
    for statement in range(0, 100, 2):
        assert dies(model.world.folder, ADD, "quarantine_add", statement)
        model.assert_whole()
        if model.model.quarantine()[0]:
            break
    assert statement >= 5, "it died in the midst of its transaction"
    assert model.model.quarantine()[0] == 1, "it died after its commit"
    assert model.world.json(*ADD)["entry"] == 2
    assert model.model.head() == head
    model.world.json("rebuild")
    model.assert_equals_river(held=True)


def test_an_entry_is_released_or_not_and_is_learned_late_once(model: Lies) -> None:
    held = model.world.json(*ADD)["events"]
    model.world.json("rebuild")
    release = ("quarantine", "release", "1", "--late", "--reason", "it told the truth")
    for statement in range(0, 100, 2):
        assert dies(model.world.folder, release, "quarantine_change", statement)
        model.assert_whole()
        if model.model.quarantine()[0] == 2:
            break
    assert statement >= 5, "it died in the midst of its transaction"
    for call in range(3):  # killed as it learns them
        dies(model.world.folder, ("train", "--until-end"), "save", 3 * call, call=call)
        model.assert_whole()
    for _ in range(2):
        model.world.train()
        assert len(learned_late(model.model, model.model.lineage(model.model.head()[0].version))) == held
        model.assert_equals_river(held=False)


def test_a_release_into_its_place_that_was_killed_is_completed_by_rebuild(model: Lies) -> None:
    model.world.json(*ADD)
    model.world.json("rebuild")
    before = model.model.head()[0]
    release = ("quarantine", "release", "1", "--rewrite", "--reason", "it told the truth")
    assert dies(model.world.folder, release, "rebuild_save", 2, call=3)
    assert model.model.head()[0] == before
    assert model.model.quarantine()[0] == 2
    assert model.world.json("rebuild")["missed"] == sum(map(model.lies, model.events))
    model.assert_equals_river(held=False)
    assert learned_late(model.model, model.model.lineage(model.model.head()[0].version)) == []


def test_a_rebuild_goes_on_where_it_was(model: Lies) -> None:
    model.world.json(*ADD)
    before = model.model.head()[0]
    source, covered, last = random.Random(SEED), 0, None
    deaths = [("rebuild_begin", source.randrange(5), 0) for _ in range(2)]
    deaths += [("rebuild_save", source.randrange(12), source.randrange(1, 3)) for _ in range(6)]
    source.shuffle(deaths)
    for method, statement, call in deaths:
        assert dies(model.world.folder, ("rebuild",), method, statement, call=call)
        model.assert_whole()
        assert model.model.head()[0] == before
        (last,) = model.model.rebuilds() or [None]  # it did not begin anew
        assert last is None or last.covers >= covered
        covered = 0 if last is None else last.covers
    assert last is not None
    saved = sum(call for method, _, call in deaths if method == "rebuild_save")
    assert saved <= covered - last.base <= saved + 6, "each went on where the one before it had died"
    _end(model, before, last.base)


def test_head_is_swapped_or_not(model: Lies) -> None:
    model.world.json(*ADD)
    before = model.model.head()[0]
    for statement in range(0, 100, 2):
        assert dies(model.world.folder, ("rebuild",), "rebuild_swap", statement)
        model.assert_whole()
        if model.model.head()[0] != before:
            break
    assert statement >= 5, "it died in the midst of its transaction"
    _end(model, before, model.model.rebuilds()[0].base)


def _end(model: Lies, before: Version, base: int) -> None:
    """Let the rebuild go on to its end: each version was made again once, and head was swapped once."""
    model.world.json("rebuild")
    rebuilt = [version for version in model.model.versions() if version.covers is not None]
    assert [version.covers for version in rebuilt] == list(range(base + 1, before.version + 1))
    assert [rebuild.state for rebuild in model.model.rebuilds()] == ["done"]
    assert [move.new for move in model.model.moves("head") if move.kind == "rebuild"] == [rebuilt[-1].version]
    model.assert_equals_river(held=True)
    assert model.world.json("verify", "head")["equal"]
    assert model.world.json("rebuild")["base"] is None
