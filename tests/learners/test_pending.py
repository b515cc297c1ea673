"""Pending labels against a plain oracle: a list that is searched for what is due."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

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
