"""How large the next batch may be: by the speed of the model, by what is due, by whoever asks for less."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stream.schedule import COLUMNS_LIVE_MAX, COLUMNS_PER_BATCH_MAX, Policy, Schedule, events_max

POLICY = Policy(every_events=50_000, every_s=60, held_bytes_max=1, publish_events=None, publish_s=None, fork_s=1)


def read(events: int, *, held_bytes: int = 0) -> Any:
    return SimpleNamespace(read=events, records=events, raised=False, held_bytes=held_bytes)


@pytest.mark.parametrize(
    ("most", "sizes"),
    [
        (500, [8, 32, 128, 500, 500]),
        (COLUMNS_PER_BATCH_MAX, [8, 32, 128, 512, 2048, 8192, 8192]),
        (COLUMNS_LIVE_MAX, [8, 32, 128, 512, 2048, 8192, 16_384, 16_384]),
    ],
)
def test_batches_of_a_fast_model_grow_up_to_the_most(most: int, sizes: list[int]) -> None:
    schedule = Schedule(POLICY, 0.0, most=most)
    found = []
    for _ in sizes:
        found.append(schedule.events_max(read(0)))
        schedule.learned(found[-1], found[-1] * 1e-6)
    assert found == sizes


def test_only_a_trainer_takes_the_largest_batches() -> None:
    assert [events_max(columns=True), events_max(columns=True, live=True)] == [8192, 16_384]
    assert [events_max(columns=False), events_max(columns=False, live=True)] == [500, 500]


def test_a_model_that_becomes_slow_gets_small_batches_at_once() -> None:
    schedule = Schedule(POLICY, 0.0, most=COLUMNS_PER_BATCH_MAX)
    for _ in range(6):
        schedule.learned(8192, 8192e-6)
    schedule.learned(8192, 8192 * 1e-3)
    assert schedule.events_max(read(0)) == 200  # 0.2 s at a millisecond each
    schedule.restart()
    assert schedule.events_max(read(0)) == 8


def test_a_batch_ends_where_a_version_is_due_and_where_there_is_room_for_no_more() -> None:
    schedule = Schedule(POLICY, 0.0, most=COLUMNS_PER_BATCH_MAX)
    for _ in range(6):
        schedule.learned(8192, 8192e-6)
    assert schedule.events_max(read(49_000)) == 1000
    assert schedule.events_max(read(49_000), 77) == 77
    assert schedule.events_max(read(0), 0) == 1


def test_while_a_version_is_made_none_is_due_by_time_alone() -> None:
    schedule = Schedule(POLICY, 0.0)
    for busy in (False, True):
        assert schedule.due(read(10), 60.0, busy=busy) is not busy
        assert not schedule.due(read(10), 59.0, busy=busy)
        assert not schedule.due(read(0), 60.0, busy=busy)
        assert schedule.due(read(50_000), 1.0, busy=busy)
        assert schedule.due(read(10, held_bytes=1), 1.0, busy=busy)
