"""The bench: what learns and judges, and counts what that cost. A replay is a pass that learns from some state on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from learners import LOST, Judgement, Learner, LearnFailed, Probe, Task, metric_of
from stream.bisect.course import Course, Event, Mark, teach, turns
from stream.log import EVENTS_PER_POLL_MAX

Tell = Callable[[int, int], None]
"""Is called with the replays so far, and the events that they learned."""

PROBE_MIN = 30
"""With fewer labeled events no two states can be told apart."""

RECENT_SHARE = 4
"""Where labels have a log of their own, so many times more events are kept for the probe: some labels have not come."""


class Bench:
    """Learns stretches of a course. `replays` and `events` are what was learned so far."""

    def __init__(self, course: Course, tell: Tell) -> None:
        self.course = course
        self.replays = 0
        self.events = 0
        self._tell = tell

    def begin(self) -> None:
        """Count a replay."""
        self.replays += 1

    def learn(self, learner: Learner, events: Sequence[Event]) -> None:
        """Let a learner learn events. Raises `LearnFailed`."""
        for start in range(0, len(events), EVENTS_PER_POLL_MAX):
            part = events[start : start + EVENTS_PER_POLL_MAX]
            teach(learner, part, joined=self.course.joined)
            self.events += len(part)
            self._tell(self.replays, self.events)

    def replay(self, mark: Mark, parts: Iterable[Sequence[Event]]) -> bytes | None:
        """Learn stretches of events from a state on, and return the state after them; None if the model raised."""
        learner = Learner.restore(mark.state)
        self.begin()
        try:
            for part in parts:
                self.learn(learner, part)
        except LearnFailed:
            return None
        return learner.seal().state

    def along(self, mark: Mark, parts: Iterable[Sequence[Event]]) -> Iterator[bytes | None]:
        """Learn stretches of events one after the other in one replay; give out the state after each, as `replay`."""
        learner: Learner | None = Learner.restore(mark.state)
        self.begin()
        for part in parts:
            try:
                if learner is not None:
                    self.learn(learner, part)
            except LearnFailed:
                learner = None
            yield None if learner is None else learner.seal().state

    def judge(self, probe: Probe, state: bytes | None, later: Sequence[Event] = ()) -> Judgement:
        """Judge a state. Of events `later` than it, the labels are told: those of events asked before may be there."""
        if state is None:
            return LOST
        return probe.judge(state, list(turns(later, asked=False)) if self.course.joined else ())


class Walk:
    """One replay along the course, from the nearest stored version on; it remembers the last events for a probe."""

    def __init__(self, bench: Bench, place: int, recent: int) -> None:
        course, self._bench = bench.course, bench
        mark = course.mark(course.stored(place))
        kept = recent * RECENT_SHARE if course.joined else recent
        begin = max(0, min(mark.place, place - kept))
        self._recent = deque(islice(course.events_at(begin), mark.place - begin), maxlen=kept)
        self._events = course.events(mark)
        self._learner = Learner.restore(mark.state)
        self._learns = False
        self._window = recent
        self._start = mark
        self.place = mark.place

    def go(self, place: int) -> None:
        """Learn the events before a place."""
        if place > self.place and not self._learns:
            self._bench.begin()
            self._learns = True
        while self.place < place:
            part = list(islice(self._events, min(EVENTS_PER_POLL_MAX, place - self.place)))
            assert part, "no place lies behind the end of the course"
            self._bench.learn(self._learner, part)
            self._recent.extend(part)
            self.place += len(part)

    def mark(self) -> Mark:
        """Return where it is."""
        if not self._learns:
            return self._start
        version = self._bench.course.version_before(self.place)
        return Mark(self.place, self._learner.seal().state, version, self._start.origin)

    def probe(self, metric: str) -> Probe | None:
        """Return the last labeled events before here as a probe; None if they are too few."""
        return probe_of(self._recent, metric, self._learner.recipe.task, self._window)


def probe_of(events: Iterable[Event], metric: str, task: Task, last: int) -> Probe | None:
    """Return the last labeled ones of some events as a probe; None if they are too few.

    Where labels have a log of their own, they are among what came between the events.
    """
    events = list(events)
    labels = {turn.id: turn.y for event in events for turn in (*event.before, *event.after)}
    labeled = [
        (event.x, event.y if event.id is None else labels.get(event.id))
        for event in events
        if event.y is not None or event.id in labels
    ][-last:]
    if len(labeled) < PROBE_MIN:
        return None
    return Probe(metric_of(metric, task), task, [x for x, _ in labeled], [y for _, y in labeled])
