"""Pending labels against a plain oracle: a list that is searched for what is due."""

from __future__ import annotations

import pickle
from heapq import heappop, heappush
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners import due
from learners.due import Due
from learners.ids import Ids
from learners.pending import Entry, LabelPolicy, Pending
from learners.rounds import ask_then_reveal

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),  # time since the event before
        st.one_of(st.none(), st.integers(0, 20)),  # the delay of its label, None if it never comes
        st.booleans(),
    ),
    max_size=60,
)


def oracle(events: list[tuple[int, int | None, bool]], timeout: int | None, default: Any) -> tuple[list[Any], int]:
    """Return what happens, in order: ("ask", i) and ("learn", i, y); and how many expired."""
    waiting: list[tuple[int, int, Any]] = []
    happened: list[Any] = []
    now = expired = 0
    for i, (step, delay, y) in enumerate(events):
        now += step
        for item in sorted(item for item in waiting if item[0] <= now):
            waiting.remove(item)
            if item[2] is None:
                expired += 1
            else:
                happened.append(("learn", item[1], item[2]))
        happened.append(("ask", i))
        if timeout is not None and (delay is None or delay > timeout):
            waiting.append((now + timeout, i, default))
        elif delay is not None:
            waiting.append((now + delay, i, y))
    return happened, expired


@given(EVENTS, st.one_of(st.none(), st.integers(1, 15)), st.one_of(st.none(), st.booleans()))
def test_order_is_that_of_the_oracle(events: list[Any], timeout: int | None, default: Any) -> None:
    pending = Pending(LabelPolicy(timeout=timeout, default=default if timeout is not None else None))
    happened: list[Any] = []
    now, fed = 0, []
    for i, (step, delay, y) in enumerate(events):
        now += step
        fed.append(({"i": i}, None if delay is None else y, now, None if delay is None else now + delay))
    list(
        ask_then_reveal(
            pending,
            lambda x: happened.append(("ask", x["i"])),
            lambda entry: happened.append(("learn", entry.x["i"], entry.y)),
            fed,
        )
    )
    expected, expired = oracle(events, timeout, default if timeout is not None else None)
    assert happened == expected
    assert pending.expired == expired
    learned = sum(item[0] == "learn" for item in happened)
    assert len(events) == learned + len(pending) + pending.expired


@given(EVENTS, st.integers(1, 5))
def test_never_more_than_so_many_are_pending(events: list[Any], most: int) -> None:
    pending = Pending(LabelPolicy(pending_max=most))
    now, learned = 0, []
    for i, (step, delay, y) in enumerate(events):
        now += step
        event = ({"i": i}, None if delay is None else y, now, None if delay is None else now + delay)
        learned += [
            entry for part in ask_then_reveal(pending, str, lambda *_: None, [event]) for entry in part.revealed
        ]
        assert len(pending) <= most
    assert len(events) == len(learned) + len(pending) + pending.expired
    closed = list(pending.reveal_all())
    assert len(events) == len(learned) + len(closed) + len(pending) + pending.expired
    assert all(entry.y is None for number in pending.entries if (entry := pending.entry(number)))


def test_what_expired_leaves_the_heap() -> None:
    pending = Pending(LabelPolicy(pending_max=10))
    for i in range(10_000):
        pending.add(Entry({}, True), i, i + 10**9)
    assert len(pending) == 10
    assert len(pending.due) < 200


TIMES = st.one_of(st.integers(0, 30), st.just(10**30), st.just(-(10**30)))


@given(st.lists(st.one_of(TIMES, st.none(), st.just("keep"), st.just("save")), max_size=80))
def test_times_come_out_as_from_a_heap(steps: list[Any]) -> None:
    """A number is pushed at a time; None takes out what is due at the next time, one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(due, "TAKEN_MAX", 3)
        queue, heap, now = Due(), [], 0
        for number, step in enumerate(steps):
            if step is None:
                now += 3
                found, expected = [], []
                while (item := queue.pop(now)) is not None:
                    found.append(item)
                while heap and heap[0][0] <= now:
                    expected.append(heappop(heap))
                assert found == expected
            elif step == "keep":
                kept = {item[1] for item in heap if item[1] % 3}
                queue.keep(kept)
                heap = sorted(item for item in heap if item[1] in kept)
            elif step == "save":
                kept = {item[1] for item in heap if item[1] % 5}
                queue = Due.of(pickle.loads(pickle.dumps(queue.columns(kept))))
                heap = sorted(item for item in heap if item[1] in kept)
            else:
                queue.push((step, number))
                heappush(heap, (step, number))
            assert len(queue) == len(heap)
        assert sorted(queue) == sorted(heap)


NAMES = st.dictionaries(st.text(max_size=3), st.integers(-(10**20), 10**20), max_size=5)


@given(NAMES, NAMES, NAMES, st.dictionaries(st.text(max_size=3), st.tuples(st.integers(), st.booleans()), max_size=5))
def test_ids_are_saved_as_they_are(numbers: Any, labeled: Any, over: Any, early: Any) -> None:
    ids = Ids(numbers, early, labeled, over, 9, 8, 7, 6, 5, 4)
    found = Ids.of(pickle.loads(pickle.dumps(ids.columns())))
    assert found == ids
    for name in ("numbers", "early", "labeled", "over"):
        assert list(getattr(found, name)) == list(getattr(ids, name))
