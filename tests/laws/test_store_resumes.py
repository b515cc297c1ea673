"""The laws of the store, on SQLite and on a real PostgreSQL: resumes, and what a person is told of a hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store import HeldEvent, ModelStore, NoSuchVersion, Resume, Store
from tests.store.values import NOON, Clock, genesis, save


def test_a_version_is_resumed_once_for_ever(model: ModelStore, store: Store, clock: Clock) -> None:
    save(model)
    assert (model.resumed(2), model.resumes()) == (None, [])
    first = model.resume(2, who="ann", why="the producer is mended")
    assert first == Resume(2, "ann", "the producer is mended", NOON)
    clock.now = NOON + timedelta(hours=1)
    assert model.resume(2, who="bob", why="me too") == first
    assert model.resume(1, who="bob", why="") == Resume(1, "bob", "", clock.now)
    assert (model.resumed(2), [each.version for each in model.resumes()]) == (first, [1, 2])
    twin = store.model("twin")
    twin.create(genesis(), config={}, who="ann")
    assert twin.resumed(1) is None
    with pytest.raises(NoSuchVersion):
        model.resume(9, who="ann", why="")


def test_the_last_held_event_of_a_partition_and_reason_is_found(model: ModelStore) -> None:
    def held(partition: int, offset: int, reason: str) -> HeldEvent:
        return HeldEvent("t", partition, offset, "suspect", reason, str(offset), None, 5, "ab", NOON)

    save(model, held=(held(0, 3, "json"), held(0, 5, "json"), held(0, 9, "json"), held(0, 7, "old"), held(1, 8, "old")))
    assert model.held_last("t", 0, "json", offset_max=8) == held(0, 5, "json")
    assert model.held_last("t", 0, "json", offset_max=9) == held(0, 9, "json")
    assert model.held_last("t", 0, "old", offset_max=99) == held(0, 7, "old")
    assert model.held_last("t", 2, "json", offset_max=99) is None
    assert model.held_last("u", 0, "json", offset_max=99) is None
