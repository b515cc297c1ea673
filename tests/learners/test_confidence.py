"""Confidence sequences against simulated streams, a naive oracle, and the numbers of the paper's authors."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.confidence import ETA, POWER, ZETA, ConfidenceSequence, boundary

STREAMS, STEPS, CHUNK = 2000, 5000, 250
FIRST_LOOK = 30
"""The naive interval, too, is looked at from here on only: it is not made for less."""

Pair = tuple[np.ndarray, np.ndarray]
"""Values, and the expectation of each given those before it: one stream a line."""


def coins(rng: np.random.Generator, means: np.ndarray) -> Pair:
    return (rng.random(means.shape) < means).astype(float), means


def stationary(rng: np.random.Generator, lines: int) -> Pair:
    return coins(rng, np.broadcast_to(rng.choice([0.02, 0.2, 0.5], (lines, 1)), (lines, STEPS)))


def waves(rng: np.random.Generator, lines: int) -> Pair:
    turns = 2 * np.pi * (np.arange(STEPS) / rng.uniform(200, 5000, (lines, 1)) + rng.random((lines, 1)))
    return coins(rng, 0.4 + 0.35 * np.sin(turns))


def jumps(rng: np.random.Generator, lines: int) -> Pair:
    at = rng.integers(0, STEPS, (lines, 1))
    means = np.where(np.arange(STEPS) < at, rng.uniform(0, 1, (lines, 1)), rng.uniform(0, 1, (lines, 1)))
    spread = np.minimum(means, 1 - means)
    return means + spread * rng.uniform(-1, 1, (lines, STEPS)), means  # numbers, not only 0 and 1


def adversary(rng: np.random.Generator, lines: int) -> Pair:
    """It knows the past: while the sum is behind its expectation it tosses fair coins, then goes quiet and keeps it."""
    values, means = np.empty((lines, STEPS)), np.empty((lines, STEPS))
    ahead, v = np.zeros(lines), np.full(lines, 0.25)
    for step in range(STEPS):
        mean = np.where(ahead < 2.2 * np.sqrt(v), 0.5, 0.001)
        value = (rng.random(lines) < mean).astype(float)
        ahead += value - mean
        v += mean * (1 - mean)
        values[:, step], means[:, step] = value, mean
    return values, means


KINDS: dict[str, Callable[[np.random.Generator, int], Pair]] = {
    "stationary": stationary,
    "waves": waves,
    "jumps": jumps,
    "adversary": adversary,
}


def oracle(values: np.ndarray, low: float, high: float) -> Pair:
    """Both ends after every value of every stream, written down as the theorem says it."""
    counts = np.arange(1, values.shape[1] + 1)
    sums = np.cumsum(values, axis=1)
    guesses = np.zeros_like(values)
    guesses[:, 1:] = sums[:, :-1] / counts[:-1]
    v = np.cumsum((values - guesses) ** 2, axis=1)
    c = high - low
    v = np.maximum(v, c**2)
    ell = 1.4 * np.log(np.log2(v / c**2) + 1) + math.log(3.1055472779775806 / 0.025)
    k1, k2 = (2**0.25 + 2**-0.25) / 2**0.5, (2**0.5 + 1) / 2
    radius = (np.sqrt(k1**2 * v * ell + (k2 * c * ell) ** 2) + k2 * c * ell) / counts
    return np.maximum(low, sums / counts - radius), np.minimum(high, sums / counts + radius)


def naive(values: np.ndarray) -> Pair:
    """The interval of a fixed count (central limit theorem), looked at all the time."""
    counts = np.arange(1, values.shape[1] + 1)
    mean = np.cumsum(values, axis=1) / counts
    variance = np.maximum(np.cumsum(values**2, axis=1) / counts - mean**2, 0)
    radius = 1.96 * np.sqrt(variance / counts)
    radius[:, : FIRST_LOOK - 1] = np.inf
    return mean - radius, mean + radius


def left(ends: Pair, covered: np.ndarray) -> int:
    """How many streams are ever out of their interval."""
    low, high = ends
    return int(((covered < low) | (covered > high)).any(axis=1).sum())


def chunks(kind: str) -> Iterator[Pair]:
    rng = np.random.default_rng(20_210_401)
    for _ in range(STREAMS // CHUNK):
        yield KINDS[kind](rng, CHUNK)


@pytest.mark.parametrize("kind", KINDS)
def test_at_most_five_percent_of_streams_ever_leave(kind: str) -> None:
    """Looked at after every one of 5,000 values; the interval of a fixed count, looked at so, fails the same test."""
    out = naively_out = 0
    for values, means in chunks(kind):
        covered = np.cumsum(means, axis=1) / np.arange(1, STEPS + 1)
        out += left(oracle(values, 0.0, 1.0), covered)
        naively_out += left(naive(values), covered)
    allowed = STREAMS * 0.05 + 3 * math.sqrt(STREAMS * 0.05 * 0.95)
    assert out <= allowed
    assert naively_out > 4 * allowed


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_is_not_vacuous(kind: str) -> None:
    """After 5,000 values it is at most 2.5 times as wide as that of a fixed count, in the middle stream."""
    values, _ = KINDS[kind](np.random.default_rng(7), CHUNK)
    (low, high), (naive_low, naive_high) = oracle(values, 0.0, 1.0), naive(values)
    times = (high - low)[:, -1] / (naive_high - naive_low)[:, -1]
    assert 1.0 < np.median(times) < 2.5


def test_the_boundary_is_that_of_the_authors() -> None:
    """64.48755: from the tests of their implementation (confseq, PolyStitchingTest), there checked against R.

    And without scale it is the formula of the paper's introduction, in its rounded constants.
    """
    assert boundary(100, alpha=0.05, scale=3, start=10) == pytest.approx(64.48755, abs=1e-5)
    for v in (1.0, 3.0, 50.0, 1e4, 1e9):
        paper = 1.7 * math.sqrt(v * (math.log(math.log(2 * v)) + 0.72 * math.log(5.2 / 0.025)))
        assert boundary(v, alpha=0.025, scale=0, start=1) == pytest.approx(paper, rel=0.01)


@given(st.floats(0, 9), st.floats(0.001, 0.2), st.floats(0.01, 50), st.floats(0.01, 50))
def test_the_boundary_lies_above_the_line_of_each_epoch(log_v: float, alpha: float, scale: float, start: float) -> None:
    """The proof's only step that is ours, by numbers: a search for the line, no closed form."""
    v = start * 10**log_v
    epoch = int(math.log(v / start) / math.log(ETA))
    rest = math.log(ZETA * (epoch + 1) ** POWER / alpha)
    middle = start * ETA ** (epoch + 0.5)
    slopes = np.concatenate([np.geomspace(1e-9, 0.5, 20_000), 1 - np.geomspace(0.5, 1e-9, 20_000)]) / scale
    psi = slopes**2 / (2 * (1 - scale * slopes))
    best = np.argmin(rest / slopes + psi / slopes * middle)
    line = rest / slopes[best] + psi[best] / slopes[best] * v
    assert boundary(v, alpha=alpha, scale=scale, start=start) >= line * (1 - 1e-6)
    assert psi[best] >= (-np.log1p(-scale * slopes[best]) - scale * slopes[best]) / scale**2 * (1 - 1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 500.0), (-35.0, 35.0)])
def test_value_by_value_it_is_the_oracle(low: float, high: float) -> None:
    values, _ = jumps(np.random.default_rng(3), 2)
    values = (low + (high - low) * values)[:, :600]
    lows, highs = oracle(values, low, high)
    for line, expected in zip(values, np.stack([lows, highs], axis=2), strict=True):
        sequence = ConfidenceSequence(low, high)
        for count, value in enumerate(line.tolist()):
            sequence.add([value])
            assert sequence.interval() == pytest.approx(expected[count], rel=1e-9, abs=1e-12)
        assert sequence.mean == pytest.approx(line.mean())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-3, 7), max_size=60), st.lists(st.integers(0, 9), min_size=1).filter(any))
def test_how_values_come_in_batches_makes_no_difference_to_any_bit(values: list[float], sizes: list[int]) -> None:
    whole, pieces = ConfidenceSequence(-3.0, 7.0), ConfidenceSequence(-3.0, 7.0)
    whole.add(values)
    start = turn = 0
    while start < len(values):
        size = sizes[turn % len(sizes)]
        turn += 1
        pieces.add(np.array(values[start : start + size]))
        pieces = pickle.loads(pickle.dumps(pieces))
        start += size
    assert whole == pieces
    total = spread = 0.0
    for count, value in enumerate(values):
        spread += (value - (total / count if count else 0.0)) ** 2
        total += value
    assert (pieces.n, pieces.total, pieces.spread) == (len(values), total, spread)


def test_the_epochs_share_what_there_is() -> None:
    shares = 1 / (ZETA * np.arange(1, 1_000_000) ** POWER)
    rest = 1_000_000 ** (1 - POWER) / (POWER - 1) / ZETA  # the integral over all later epochs
    assert shares.sum() + rest == pytest.approx(1, abs=1e-6)


def test_without_a_value_everything_is_possible() -> None:
    sequence = ConfidenceSequence(-2.0, 5.0)
    sequence.add([])
    assert (sequence.interval(), sequence.mean) == ((-2.0, 5.0), 0.0)
    sequence.add([5.0])
    assert sequence.interval() == (-2.0, 5.0)
