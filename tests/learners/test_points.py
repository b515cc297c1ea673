"""Points that are kept compactly are the points that were given, to their last bit; and they take little memory."""

from __future__ import annotations

import math
import pickle
import random
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from learners.points import Point, Points

NAMES = st.sampled_from(["", "MAE", "F1", "window", "2"])
VALUES = st.one_of(
    st.none(), st.floats(), st.integers(-(2**70), 2**70), st.booleans(), st.sampled_from([-0.0, math.inf, math.nan])
)
SCORES = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4), max_size=3)
POINTS = st.lists(
    st.builds(
        Point, st.integers(0, 2**40), SCORES, st.dictionaries(NAMES, SCORES, max_size=3), st.none() | st.integers()
    ),
    max_size=8,
)


def bits(value: Any) -> Any:
    """Return what shows type, order and bits of a value."""
    if isinstance(value, dict):
        return [(key, bits(each)) for key, each in value.items()]
    return struct.pack("d", value) if isinstance(value, float) else (type(value), value)


def told(point: Point) -> Any:
    return [point.learned, point.clock_us, bits(point.scores), bits(point.baselines)]


@given(POINTS, POINTS)
def test_they_are_the_points_that_were_given(given: list[Point], more: list[Point]) -> None:
    points = Points(given)
    assert [told(each) for each in points] == [told(each) for each in given]
    for each in more:
        points.append(each)
    both = given + more
    assert len(points) == len(both)
    for place in range(-len(both), len(both)):
        assert told(points[place]) == told(both[place])
    assert [told(each) for each in points[1:-1]] == [told(each) for each in both[1:-1]]
    again = pickle.loads(pickle.dumps(points, protocol=5))
    assert [told(each) for each in again] == [told(each) for each in both]


def test_they_equal_any_sequence_of_the_same_points() -> None:
    points = list(series(3))
    assert Points(points) == points
    assert Points(points) == tuple(points)
    assert Points(points) != points[:2]
    assert Points() == ()


def series(count: int) -> Iterator[Point]:
    """Give out points as five metrics and three baselines have them; of one metric nothing is known at the ends."""
    source = random.Random(3)

    def scores() -> Any:
        return {
            metric: {
                span: None if metric == "LogLoss" and span in ("low", "high") else source.random()
                for span in ("cumulative", "window", "since_last", "low", "high")
            }
            for metric in ("Accuracy", "F1", "LogLoss", "ROCAUC", "BalancedAccuracy")
        }

    for number in range(count):
        yield Point(1000 * number, scores(), {name: scores() for name in ("NoChange", "Prior", "Majority")})


def test_a_thousand_take_a_megabyte() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        points = Points(series(1000))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(points) == 1000
    assert after - before < 1_200_000  # as objects 6.9 million
