"""The hunt: from a curve that falls to the events that made it fall, by replay.

1. The place right before which the model became worse: the steepest cell of the curve in cells of its own, in one
   replay; then halving, each replay half as long as the one before.
2. The start: that one event, if it alone brought most of the fall; else the last place that was as good as before.
3. The end: is it that one event alone? Without it the model is good where it was bad. Else leap ahead from the start,
   until what follows no longer makes the model worse; halve what was leapt over last.
4. If several partitions were read there: does it take only the events of one?
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import attrgetter

from learners import Judgement, Probe
from stream.bisect.bench import Bench, probe_of
from stream.bisect.course import Course, Event, Mark
from stream.bisect.curve import Curve, Stretch
from stream.bisect.search import first_bad, nearest_good
from stream.log import EVENTS_PER_POLL_MAX

ALONE_MIN = 0.5
"""An event that brought so much of a fall is the start of it; of a gradual one no event brings as much."""

AS_BEFORE = 0.15
"""A state that lost no more than this share is as good as before: a model is never quite still."""

STILL_GOOD = 0.35
"""A state that lost more than this share was made worse by what it learned."""

AHEAD_MAX = 100_000
"""The end of a range is looked for in so many events; they are in memory."""

MARKS_MAX = 8
"""So many states are in memory to go on from: the last ones, nearest to what is looked for."""

WIDER, WIDER_MAX = 8, 3
"""If leaving out a range heals nothing yet, what follows it is looked at so many times further; so often at most."""


class Tape:
    """The events of a course from a place on, kept in memory once read."""

    def __init__(self, course: Course, mark: Mark) -> None:
        self._mark = mark
        self._course = course
        self._events: list[Event] = []
        self._rest = course.events(mark)
        self._reading = course.reading

    def part(self, start: int, stop: int) -> Sequence[Event]:
        """Return the events at places [start, stop)."""
        first = self._mark.place
        missing = stop - first - len(self._events)
        if missing > 0 and self._reading != self._course.reading:  # the log was read elsewhere since
            self._rest = self._course.events_at(self._mark.place + len(self._events), self._mark.origin)
            self._reading = self._course.reading
        if missing > 0:
            self._events.extend(islice(self._rest, missing))
        return self._events[start - first : stop - first]


@dataclass(frozen=True, slots=True)
class Found:
    """The events at places [start, stop) made the model worse: `events` of them, of one partition or of all.

    `good` is what the model was worth before, `bad` after `at` events, `healed` what it would be worth then without
    these events: None if no end was found. `ahead` is what it was worth with them, and would be without them, on the
    events that follow: None where too few do.
    """

    start: int
    stop: int
    at: int
    good: Judgement
    bad: Judgement
    healed: Judgement | None
    events: Sequence[Event]
    ahead: tuple[Judgement, Judgement] | None

    @property
    def certain(self) -> bool:
        """Whether the model is better without these events: on what was before them, and on what follows."""
        if self.healed is None:
            return False
        return self.stop - self.start == 1 or self.ahead is None or self.ahead[0].noticeably_worse(self.ahead[1])


class Hunt:
    """Hunts along one curve. `limit`: a state is bad if its goodness is below that; None: by how far it fell."""

    def __init__(self, bench: Bench, curve: Curve, limit: float | None) -> None:
        self._bench = bench
        self._course = bench.course
        self._probe = curve.probe
        self._limit = limit
        self._stop = curve.places[-1]
        values = [each.goodness for each in curve.found]
        at = curve.steepest()[0] if limit is None else curve.crossing(limit)
        assert at, "asked where a curve falls, after its first place"
        self._cell = (curve.places[at - 1], curve.places[at])
        self._ends = (values[at - 1], values[at])
        self.fall = _fall(*self._ends)
        self._good = max(curve.found[max(0, at - 3) : at], key=attrgetter("goodness"))
        self._bad = min(curve.found[at:], key=attrgetter("goodness"))
        self._line = _part(self._good.goodness, self._bad.goodness, 0.5)
        fallen = zip(curve.places[at:], curve.found[at:], strict=True)
        self._at, self._bad = next((place, each) for place, each in fallen if not self._well(each))
        base = self._learned_to(curve, curve.places[0 if self._course.joined else max(0, at - 3)])
        self._marks = {base.place: base}
        self._fallen = curve.marks.get(self._at)
        self._base = base.place
        self._tape = Tape(self._course, base)
        if self._course.joined:  # the labels of what was asked in the cell came later
            self._cell = (base.place, self._at)
            self._ends = (self._judge(base.state, base.place).goodness, self._bad.goodness)

    def _learned_to(self, curve: Curve, place: int) -> Mark:
        """Return the state at a place of the curve, learned again from the nearest one that was kept."""
        kept = curve.marks[max(each for each in curve.marks if each <= place)]
        if kept.place == place:
            return kept
        events = islice(self._course.events(kept), place - kept.place)
        state = self._bench.replay(kept, iter(lambda: list(islice(events, EVENTS_PER_POLL_MAX)), []))
        assert state is not None, "it was learned before"
        return Mark(place, state, self._course.version_before(place), kept.origin)

    def gain(self) -> float:
        """Return how much better the model of before the fall does on the events that follow it.

        To be worse at what is past, a model needs but follow the world; where it was made worse it is worse at what
        comes, too. As far as it fell, where too few events follow.
        """
        ahead = self._ahead(self._stop) or self._ahead(self._at)
        if ahead is None:
            return self.fall
        before = self._bench.judge(ahead, self._marks[self._base].state)
        fallen = self._state(self._at) if self._fallen is None else self._fallen.state
        return _fall(before.goodness, self._bench.judge(ahead, fallen).goodness)

    def _ahead(self, place: int) -> Probe | None:
        """Return the first labeled events from a place on as a probe; None if they are too few."""
        window = len(self._probe.xs)
        events = self._tape.part(place, min(place + window, self._course.stop))
        return probe_of(events, self._probe.metric.name, self._course.task, window)

    def _well(self, judgement: Judgement) -> bool:
        """Tell whether a state is good."""
        if self._limit is not None:
            return judgement.goodness >= self._limit
        return judgement.goodness > max(self._line, self._bad.goodness)

    def look(self) -> float:
        """Look into the cell by a curve of its own, and keep to its steepest cell; return how far that falls."""
        places = Stretch(*self._cell).places()
        mark = self._nearest(places[0])
        reached = self._bench.along(mark, [self._tape.part(*pair) for pair in pairwise([mark.place, *places])])
        states = list(zip(places, reached, strict=True))
        found = [(place, state, self._judge(state, place).goodness) for place, state in states]
        if self._limit is None:
            at = max(range(1, len(found)), key=lambda number: _fall(found[number - 1][2], found[number][2]))
        else:
            limit = self._limit
            at = next(number for number in range(1, len(found)) if found[number][2] < limit)
        (low, state, before), (high, _, after) = found[at - 1 : at + 1]
        self._cell, self._ends = (low, high), (before, after)
        if state is not None:
            self._keep(low, state)
        return _fall(before, after)

    @property
    def sharp(self) -> bool:
        """Whether so few events brought so much of the fall that one of them may have brought it alone."""
        return _fall(*self._ends) >= ALONE_MIN * self.fall

    def run(self) -> Found | None:
        """Find the events; None if the state before them is no better: it is what was asked earlier still."""
        tip, alone = self._tip()
        start = tip - 1 if alone else self._beginning(tip)
        before = self._judge(self._state(start), start)
        self._line = _part(before.goodness, self._bad.goodness, 0.5)
        if not self._well(before):
            return None
        if alone and self._well(healed := self._without(start, tip, self._at)):
            return self._found(start, tip, before, healed)
        stop, healed_then = self._end(start, tip, before)
        return self._found(start, stop, before, healed_then)

    def _tip(self) -> tuple[int, bool]:
        """Return the first bad place, and whether the event before it alone brought most of the fall."""
        low, high = self._cell
        values = dict(zip(self._cell, self._ends, strict=True))
        line = sum(self._ends) / 2 if self._limit is None else self._limit

        def is_bad(place: int) -> bool:
            state = self._state(place)
            values[place] = self._judge(state, place).goodness
            bad = values[place] <= line if self._limit is None else values[place] < line
            if not bad and state is not None:
                self._keep(place, state)
            return bad

        tip = first_bad(low, high, is_bad)
        return tip, _fall(values[tip - 1], values[tip]) >= ALONE_MIN * self.fall

    def _beginning(self, tip: int) -> int:
        """Return the last place before `tip` at which the model was as good as before; the first one if none was."""
        line = _part(self._good.finely, self._bad.finely, AS_BEFORE)
        begin = nearest_good(tip, self._base, 1, lambda at: self._judge(self._state(at), at).finely > line)
        return self._base if begin is None else begin

    def _end(self, start: int, tip: int, before: Judgement) -> tuple[int, Judgement | None]:
        """Return where the events end that made it worse, and what it is worth without them; None if no end is found.

        They end where what follows does not make the state at `start` worse, though it is as long as it took them.
        """
        line = _part(before.finely, self._bad.finely, STILL_GOOD)
        stop, width = tip, max(1, tip - start)
        last = min(self._course.stop, start + AHEAD_MAX)
        for _ in range(WIDER_MAX):
            if stop > last - width:
                break
            ahead: dict[int, Judgement] = {}

            def is_good(place: int, width: int = width, ahead: dict[int, Judgement] = ahead) -> bool:
                ahead[place] = self._without(start, place, place + width)
                return ahead[place].finely > line

            found = nearest_good(stop - 1, last - width, width, is_good)
            if found is None:
                break
            stop = found
            healed = ahead[stop] if stop >= self._at else self._without(start, stop, self._at)
            if self._well(healed):
                return stop, healed
            width *= WIDER
        return max(self._at, tip), None

    def _found(self, start: int, stop: int, before: Judgement, healed: Judgement | None) -> Found:
        events = self._tape.part(start, stop)
        if healed is not None and (one := self._partition(start, stop, events)) is not None:
            healed, events = one
        return Found(start, stop, self._at, before, self._bad, healed, events, self._with_and_without(start, stop))

    def _with_and_without(self, start: int, stop: int) -> tuple[Judgement, Judgement] | None:
        ahead = self._ahead(stop)
        if ahead is None:
            return None
        without = self._bench.judge(ahead, self._state(start))
        return self._bench.judge(ahead, self._state(stop)), without

    def _partition(self, start: int, stop: int, events: Sequence[Event]) -> tuple[Judgement, Sequence[Event]] | None:
        """Return the events of one partition, if it is enough to leave out those."""
        partitions = sorted({event.partition for event in events})
        until = max(stop, self._at)
        if len(partitions) == 1 or self._well(self._without(start, start, until)):
            return None
        for partition in partitions:
            healed = self._without(start, stop, until, [event for event in events if event.partition != partition])
            if self._well(healed):
                return healed, [event for event in events if event.partition == partition]
        return None

    def _state(self, place: int) -> bytes | None:
        """Return the state at a place: a replay from the nearest one that is kept."""
        mark = self._nearest(place)
        if mark.place == place:
            return mark.state
        return self._bench.replay(mark, [self._tape.part(mark.place, place)])

    def _without(self, start: int, stop: int, until: int, but: Sequence[Event] = ()) -> Judgement:
        """Judge the state at `until` without the events at [start, stop), `but` with some of them."""
        mark = self._nearest(start)
        parts = [self._tape.part(mark.place, start), but, self._tape.part(stop, until)]
        return self._judge(self._bench.replay(mark, parts), until)

    def _judge(self, state: bytes | None, place: int) -> Judgement:
        return self._bench.judge(self._probe, state, self._tape.part(place, self._at) if place < self._at else ())

    def _nearest(self, place: int) -> Mark:
        return self._marks[max(each for each in self._marks if each <= place)]

    def _keep(self, place: int, state: bytes) -> None:
        """Keep a state to go on from, beside the first and the last ones."""
        self._marks[place] = Mark(place, state, self._course.version_before(place), self._marks[self._base].origin)
        while len(self._marks) > MARKS_MAX:
            del self._marks[sorted(self._marks)[1]]


def _fall(before: float, after: float) -> float:
    """Return how far it is from one goodness down to another; no state is worse than one that is worth nothing."""
    return -math.inf if before == -math.inf else before - after


def _part(good: float, bad: float, share: float) -> float:
    """Return the goodness of what lost a share of the way from good to bad."""
    return -math.inf if bad == -math.inf else good - share * (good - bad)
