"""A curve: what the states along a stretch of the course are worth, and where they fall the most.

All states of a curve are judged on one probe: the last labeled events before its first place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from learners import Judgement, Probe
from stream.bisect.bench import Bench, Walk
from stream.bisect.course import Mark

CELLS = 12
"""Into so many cells a stretch is cut: each costs a judgement, and makes what is left so many times shorter."""

JUMP_MIN = 10_000
"""A stored version further on than that is gone on from; else the replay under way goes there."""

STATES_BYTES_MAX = 4 << 20
"""The states of a curve are kept to go on from, if all of them are no more than that."""


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """The places [good, bad] between which a model is thought to have become worse."""

    good: int
    bad: int

    def places(self) -> list[int]:
        """Return the places at which a curve is taken, both ends too.

        >>> len(Stretch(0, 48).places()), Stretch(5, 7).places()
        (13, [5, 6, 7])
        """
        cells = min(CELLS, self.bad - self.good)
        return [self.good + (self.bad - self.good) * cell // cells for cell in range(cells + 1)]


@dataclass(slots=True)
class Curve:
    """Judgements by place, in order; `marks` are the states that were kept: at least the first."""

    probe: Probe
    places: list[int] = field(default_factory=list)
    found: list[Judgement] = field(default_factory=list)
    marks: dict[int, Mark] = field(default_factory=dict)

    def add(self, mark: Mark, judgement: Judgement) -> None:
        """Take in the next place."""
        self.places.append(mark.place)
        self.found.append(judgement)
        if not self.marks or len(mark.state) * CELLS <= STATES_BYTES_MAX:
            self.marks[mark.place] = mark

    def steepest(self) -> tuple[int, float]:
        """Return the number of the place before which the curve falls most, and how far: as two places agree on.

        >>> values = [0.8, 0.81, 0.3, 0.8, 0.79, 0.5, 0.52]
        >>> curve = Curve(None, list(range(7)), [Judgement(v, v) for v in values])
        >>> curve.steepest()[0]
        5
        """
        values = [each.goodness for each in self.found]
        return max(((at, fall_at(values, at)) for at in range(1, len(values))), key=itemgetter(1))

    def crossing(self, line: float) -> int | None:
        """Return the number of the first place that is worse than a line; None if none is."""
        return next((at for at, each in enumerate(self.found) if each.goodness < line), None)

    @property
    def worse(self) -> bool:
        """Whether some state is noticeably worse than the one that is held for good."""
        return any(each.noticeably_worse(self.good) for each in self.found[1:])

    @property
    def good(self) -> Judgement:
        """The first state that was judged on the probe."""
        assert self.probe.first is not None, "the first place was judged"
        return self.probe.first


def fall_at(values: Sequence[float], at: int) -> float:
    """Return how far the worse of two values before a place lies above the better of two from it on.

    >>> fall_at([3.0, 2.0, 0.0, 1.0], 2), fall_at([1.0, -math.inf], 1)
    (1.0, inf)
    """
    before, after = min(values[max(0, at - 2) : at]), max(values[at : at + 2])
    if before == -math.inf:
        return -math.inf
    return before - after


def survey(
    bench: Bench, stretches: Sequence[Stretch], metric: str, window: int, probe: Probe | None = None
) -> list[Curve]:
    """Take a curve of each stretch, in as few replays as can be; one that has too few labeled events has none.

    With a `probe` all are judged on it.
    """
    stops: dict[int, list[Stretch]] = {}
    for stretch in stretches:
        for place in stretch.places():
            stops.setdefault(place, []).append(stretch)
    curves: dict[Stretch, Curve] = {}
    walk: Walk | None = None
    for place, here in sorted(stops.items()):
        fresh = all(stretch.good == place for stretch in here)
        if walk is None or (fresh and bench.course.places[bench.course.stored(place)] > walk.place + JUMP_MIN):
            walk = Walk(bench, place, window)
        walk.go(place)
        mark = walk.mark()
        for stretch in here:
            if stretch.good == place and (own := probe or walk.probe(metric)) is not None:
                curves[stretch] = Curve(own)
            if stretch in curves:
                curves[stretch].add(mark, bench.judge(curves[stretch].probe, mark.state))
    return [curves[stretch] for stretch in stretches if stretch in curves]
