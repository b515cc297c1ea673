"""Events and labels joined by id, against a plain oracle: lists that are searched, nothing amortised."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from learners.ids import Ids
from learners.joined import Turn, join_then_reveal
from learners.pending import LabelPolicy, Pending

TURNS = st.lists(
    st.tuples(
        st.integers(-2, 4),  # time since the turn before; may jump back
        st.integers(0, 6),  # id
        st.one_of(st.none(), st.integers(0, 9)),  # None: an event, else its label
    ),
    max_size=60,
)


class Oracle:
    """What should happen: ("ask", number) and ("learn", number, y) in order, and every count."""

    def __init__(self, timeout: int | None, default: Any, most: int) -> None:
        self.timeout, self.default, self.most = timeout, default, most
        self.happened: list[Any] = []
        self.pending: list[dict[str, Any]] = []
        self.early: list[tuple[int, int, int]] = []
        self.labeled: list[tuple[int, int]] = []
        self.gone: list[tuple[int, int]] = []
        self.clock: int | None = None
        self.asked = self.expired = self.matched = self.repeated = self.unknown = 0
        self.late = self.late_events = self.repeated_ids = 0

    def learn(self, event: dict[str, Any], y: Any) -> None:
        self.pending.remove(event)
        self.happened.append(("learn", event["number"], y))

    def reveal(self, now: int) -> None:
        for event in sorted(self.pending, key=lambda event: (event["due"] or 0, event["number"])):
            if event["due"] is not None and event["due"] <= now:
                assert self.clock is not None
                if event["y"] is None:
                    self.pending.remove(event)
                    self.gone.append((event["id"], self.clock))
                    self.expired += 1
                else:
                    self.learn(event, event["y"])
                    if not event["known"]:
                        self.labeled.append((event["id"], self.clock))

    def turn(self, moment: int, name: int, y: int | None) -> None:
        late = self.clock is not None and moment < self.clock
        now = self.clock if late and self.clock is not None else moment
        self.clock = now
        if y is None:
            self.late_events += late
            self.ask(now, name)
        else:
            self.late += late
            self.tell(now, name, y)
        while self.early and (len(self.early) > self.most or self.over(self.early[0][1])):
            del self.early[0]
            self.unknown += 1
        for names in (self.labeled, self.gone):
            while names and (len(names) > self.most or self.over(names[0][1])):
                del names[0]

    def over(self, since: int) -> bool:
        assert self.clock is not None
        return self.timeout is not None and since < self.clock - self.timeout

    def ask(self, now: int, name: int) -> None:
        self.reveal(now)
        number, self.asked = self.asked, self.asked + 1
        self.happened.append(("ask", number))
        taken = [event["id"] for event in self.pending if not event["known"]]
        if name in taken or name in dict(self.labeled) or name in dict(self.gone):
            self.repeated_ids += 1
            self.expired += 1
            return
        event = {"id": name, "number": number, "y": None, "due": None, "known": False}
        waiting = [item for item in self.early if item[0] == name]
        if waiting:
            self.early.remove(waiting[0])
            self.matched += 1
            self.labeled.append((name, now))
            event |= {"y": waiting[0][2], "due": now, "known": True}
        elif self.timeout is not None:
            event |= {"y": self.default, "due": now + self.timeout}
        self.pending.append(event)
        if len(self.pending) > self.most:
            event = self.pending.pop(0)
            if not event["known"]:
                self.gone.append((event["id"], now))
            self.expired += 1

    def tell(self, now: int, name: int, y: int) -> None:
        self.reveal(now - 1)
        events = [event for event in self.pending if event["id"] == name and not event["known"]]
        if events:
            self.matched += 1
            self.labeled.append((name, now))
            self.learn(events[0], y)
        elif name in dict(self.labeled) or any(item[0] == name for item in self.early):
            self.repeated += 1
        elif name in dict(self.gone):
            self.unknown += 1
        else:
            self.early.append((name, now, y))


@given(TURNS, st.one_of(st.none(), st.integers(1, 8)), st.one_of(st.none(), st.just(7)), st.integers(1, 8))
def test_what_happens_is_what_the_oracle_says(turns: list[Any], timeout: Any, default: Any, most: int) -> None:
    default = None if timeout is None else default
    oracle = Oracle(timeout, default, most)
    pending, ids = Pending(LabelPolicy(timeout, default, most)), Ids()
    happened: list[Any] = []
    moment, fed, asked = 0, [], 0
    for step, name, y in turns:
        moment += step
        oracle.turn(moment, name, y)
        x = {"number": asked} if y is None else None
        asked += y is None
        fed.append(Turn(moment, str(name), x, y))

    def ask(x: Any) -> None:
        happened.append(("ask", x["number"]))

    def learn(entry: Any) -> None:
        happened.append(("learn", entry.x["number"], entry.y))

    half = len(fed) // 2
    for part in (fed[:half], fed[half:]):
        list(join_then_reveal(pending, ids, ask, learn, part))
    assert happened == oracle.happened
    counts = (pending.expired, pending.late, ids.late, ids.matched, ids.repeated, ids.unknown, ids.repeated_ids)
    assert counts == (
        oracle.expired,
        oracle.late_events,
        oracle.late,
        oracle.matched,
        oracle.repeated,
        oracle.unknown,
        oracle.repeated_ids,
    )
    account = ids.account()
    assert account["waiting"] == len(oracle.early)
    assert account["read"] == sum(y is not None for _, _, y in turns)
    assert account["read"] == sum(account[key] for key in ("matched", "repeated", "unknown", "waiting"))
    assert pending.asked == sum(event[0] == "learn" for event in happened) + len(pending) + pending.expired
    assert len(pending.gone) == pending.expired
    assert max(len(ids.early), len(ids.labeled), len(ids.over), len(pending)) <= most
    assert set(ids.numbers.values()) <= set(pending.entries)


def test_ids_of_expired_events_are_forgotten() -> None:
    pending, ids = Pending(LabelPolicy(timeout=10)), Ids()
    turns = [Turn(i, f"{i}", {"i": i}) for i in range(5000)]
    list(join_then_reveal(pending, ids, lambda _: None, lambda *_: None, turns))
    assert len(ids.numbers) <= 12
    assert len(pending.due) <= 12
