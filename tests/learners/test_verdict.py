"""The verdict on many candidates: against naive loops, scipy, and simulations that look all the time."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics as river_metrics
from scipy.stats import binomtest, norm

from learners import MetricError, read_metrics
from learners.confidence import ConfidenceSequence
from learners.contest import place_of
from learners.fixed_end import diebold_mariano, holm, mcnemar, newey_west
from learners.mixture import PSI, SLOPES, WEIGHTS, Differences, ends
from learners.outputs import Outputs
from learners.progressive import Tally
from learners.verdict import CANDIDATES_MAX, comparable, compare, first_claim, values_of
from tests.learners.test_confidence import KINDS, STEPS, left

(ACCURACY, LOG_LOSS) = read_metrics(["Accuracy", "LogLoss"], "binary")
(MAE, RMSE, MAPE, R2) = read_metrics(["MAE", "RMSE", "MAPE", "R2"], "regression")
NAN = math.nan


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def right(rng: np.random.Generator, chance: float | np.ndarray, events: int) -> np.ndarray:
    return (rng.random(events) < chance).astype(float)


# the mixture


def oracle(differences: list[float], most: float, alpha: float) -> tuple[float, float]:
    """Both ends after these differences, by a loop and bisection, as the theorem says it."""
    total = v = 0.0
    for count, d in enumerate(differences):
        guess = min(max(total / count if count else 0.0, -most / 8), most / 8)
        v += (d - guess) ** 2
        total += d
    c = most * 9 / 8

    def evidence(s: float) -> float:
        """The mixture, where the sum is s above its expectation."""
        shares, whole = 0.0, 0.0
        for step in range(-4, 28):
            weight = 1 / (1 + ((step / 2 - 4.5) / 2.5) ** 2)
            u = 1 / (1 + 2 ** (step / 2))
            psi = -math.log(1 - u) - u
            whole += weight
            shares += weight * math.exp(min(u * s / c - psi * v / c**2, 600.0))
        return shares / whole

    low, high = 0.0, 1000 * c + v / c
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if evidence(middle) < 2 / alpha else (low, middle)
    n = len(differences)
    return max(-most, (total - low) / n), min(most, (total + low) / n)


@pytest.mark.parametrize("most", [1.0, 35.0])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 780])
def test_the_interval_is_the_oracle(most: float, alpha: float) -> None:
    rng = rng_of(2)
    for size, shift in itertools.product((1, 2, 50, 3000), (0.0, 0.6)):
        values = (most * (shift + (1 - shift) * rng.uniform(-1, 1, size))).tolist()
        sequence = Differences(most)
        sequence.add(values)
        assert sequence.interval(alpha=alpha) == pytest.approx(oracle(values, most, alpha), rel=1e-9)


def test_the_proofs_steps_by_numbers() -> None:
    """exp(u x - psi(u) x^2) <= 1 + u x wherever x >= -1, and the weights are shares."""
    x = np.concatenate([np.linspace(-1, 1, 4001), np.geomspace(1, 1e3, 1000)])
    for u, psi in zip(SLOPES, PSI, strict=True):
        assert (np.exp(u * x - psi * x * x) <= (1 + u * x) * (1 + 1e-12)).all()
    assert WEIGHTS.sum() == pytest.approx(1)
    assert (WEIGHTS > 0).all()
    assert ((SLOPES > 0) & (SLOPES < 1)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_at_most_five_percent_of_streams_ever_leave(kind: str) -> None:
    """Drifts, jumps and an adversary who knows the past; looked at after every 20 of 5,000 differences.

    And at the end it is tighter than the stitched interval, but not by more than can be.
    """
    out, narrower, streams = 0, [], 400
    counts = np.arange(1, STEPS + 1)
    for values, means in (KINDS[kind](rng_of(seed), 100) for seed in range(streams // 100)):
        covered = np.cumsum(2 * means - 1, axis=1) / counts
        for differences, truth in zip(2 * values - 1, covered, strict=True):
            totals, spreads = Differences(1.0).add(differences)
            low, high = ends(counts[::20], totals[::20], spreads[::20], most=1.0, alpha=0.05)
            out += left((low[None], high[None]), truth[None, ::20])
            stitched = ConfidenceSequence(-1.0, 1.0)
            stitched.add(differences[: counts[::20][-1]])
            narrower.append((high[-1] - low[-1]) / np.subtract(*stitched.interval()[::-1]))
    assert out <= streams * 0.05 + 3 * math.sqrt(streams * 0.05 * 0.95)
    assert 0.6 < np.median(narrower) < 0.95


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), max_size=60), st.integers(1, 9))
def test_how_differences_come_makes_no_difference_to_any_bit(values: list[float], size: int) -> None:
    whole, pieces = Differences(3.0), Differences(3.0)
    totals, spreads = whole.add(values)
    found = [pieces.add(values[start : start + size]) for start in range(0, len(values), size)]
    assert whole == pieces
    assert totals.tolist() == [each for part in found for each in part[0].tolist()]
    assert spreads.tolist() == [each for part in found for each in part[1].tolist()]


def test_without_a_difference_everything_is_possible() -> None:
    sequence = Differences(2.0)
    sequence.add([])
    assert (sequence.interval(alpha=0.05), sequence.mean) == ((-2.0, 2.0), 0.0)


# peeking

EVENTS = 20_000


def equals(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return right(rng, 0.8, EVENTS), right(rng, 0.8, EVENTS)


def equals_on_hard_events(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both err on the same events, mostly: what two learners of one stream do."""
    hard = rng.random(EVENTS) < 0.2
    return tuple(np.where(rng.random(EVENTS) < 0.1, right(rng, 0.8, EVENTS), ~hard) for _ in "ab")  # type: ignore[return-value]


def equals_that_drift(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Waves and a jump, the same of both."""
    chance = 0.7 + 0.25 * np.sin(np.arange(EVENTS) / rng.uniform(100, 3000) + rng.uniform(0, 6))
    chance[rng.integers(EVENTS) :] = rng.uniform(0.5, 1.0)
    return right(rng, chance, EVENTS), right(rng, chance, EVENTS)


@pytest.mark.parametrize(("make", "runs"), [(equals, 1000), (equals_on_hard_events, 400), (equals_that_drift, 400)])
def test_at_most_five_percent_of_equals_are_ever_told_apart(
    make: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]], runs: int
) -> None:
    """A/A comparisons, looked at after every 100 of 20,000 events."""
    rng = rng_of(20_260_101)
    claims = sum(first_claim(*make(rng), ACCURACY, {}) is not None for _ in range(runs))
    assert claims <= runs * 0.05 + 3 * math.sqrt(runs * 0.05 * 0.95)


def test_a_test_for_a_fixed_end_fails_where_the_sequence_does_not() -> None:
    """What the simulation is for: McNemar's test, looked at in the same way, tells a third of all equals apart."""
    rng = rng_of(20_260_102)
    claims = 0
    for _ in range(100):
        differences = np.subtract(*equals(rng))
        won, lost = np.cumsum(differences > 0)[99::100], np.cumsum(differences < 0)[99::100]
        z = np.abs(won - lost) / np.sqrt(np.maximum(won + lost, 1))
        claims += bool((z > 1.96).any())
    assert claims > 25


@pytest.mark.parametrize("chance", [0.8, 0.9])
def test_two_points_are_claimed_within_20000_events(chance: float) -> None:
    """.80 and .82 with errors that have nothing to do with each other: the hardest usual case."""
    rng = rng_of(20_260_103)
    claims = [
        first_claim(right(rng, chance, EVENTS), right(rng, chance + 0.02, EVENTS), ACCURACY, {}) for _ in range(200)
    ]
    assert sum(claim is not None and claim[1] == "b" for claim in claims) >= 180
    assert all(claim is None or (claim[1] == "b" and claim[0] % 100 == 0) for claim in claims)


def test_many_equals_are_rarely_told_apart_whoever_leads() -> None:
    """Sixteen candidates, all 120 pairs: any claim at all in at most 5 % of the runs. Without correction far more."""
    rng = rng_of(20_260_104)
    runs, events = 40, 2000
    corrected = alone = 0
    for _ in range(runs):
        values = [right(rng, 0.8, events) for _ in range(16)]
        pairs = list(itertools.combinations(values, 2))
        corrected += any(first_claim(a, b, ACCURACY, {}, candidates=16) for a, b in pairs)
        alone += any(first_claim(a, b, ACCURACY, {}) for a, b in pairs)
    allowed = runs * 0.05 + 3 * math.sqrt(runs * 0.05 * 0.95)
    assert corrected <= allowed < alone


def test_equals_by_losses_are_rarely_told_apart() -> None:
    """Losses with a long tail, up to their bound."""
    rng = rng_of(20_260_105)
    claims = 0
    for _ in range(300):
        a, b = np.minimum(rng.lognormal(0, 1.5, (2, 10_000)), 50.0)
        claims += first_claim(a, b, MAE, {"MAE": 50.0}) is not None
    assert claims <= 300 * 0.05 + 3 * math.sqrt(300 * 0.05 * 0.95)


def with_gaps(rng: np.random.Generator, values: np.ndarray, share: float = 0.1) -> np.ndarray:
    return np.where(rng.random(len(values)) < share, NAN, values)


def naive_claim(
    a: np.ndarray, b: np.ndarray, metric: Any, bounds: Mapping[str, float], step: int
) -> tuple[int, str] | None:
    """Let `compare` look at everything there is, at each look."""
    for stop in [*range(step, len(a), step), len(a)]:
        (pair,) = compare({"a": a[:stop], "b": b[:stop]}, metric, bounds)["pairs"]
        if pair["better"]:
            return stop, pair["better"]
    return None


def test_the_first_claim_is_the_first_of_compare() -> None:
    rng = rng_of(5)
    found = []
    for shift, step in itertools.product((0.0, 0.1, 0.2), (7, 100)):
        a, b = with_gaps(rng, right(rng, 0.7 + shift, 999)), with_gaps(rng, right(rng, 0.7, 999))
        found.append(first_claim(a, b, ACCURACY, {}, step=step))
        assert found[-1] == naive_claim(a, b, ACCURACY, {}, step)
    losses = rng.uniform(0, 1, 500), rng.uniform(0, 2, 500)
    assert first_claim(*losses, MAE, {"MAE": 2.0}, step=9) == naive_claim(*losses, MAE, {"MAE": 2.0}, 9)
    assert None in found
    assert any(claim and claim[1] == "a" for claim in found)


def test_nothing_is_claimed_without_a_bound_or_from_a_loss_beyond_it() -> None:
    a, b = np.zeros(1000), np.full(1000, 2.0)
    assert first_claim(a, b, MAE, {}) is None
    claim = first_claim(a, b, MAE, {"MAE": 2.0}, step=10)
    assert claim
    assert claim[1] == "a"
    early, late = b.copy(), b.copy()
    early[claim[0] - 11], late[claim[0]] = 2.5, 2.5
    assert first_claim(a, early, MAE, {"MAE": 2.0}, step=10) is None
    assert first_claim(a, late, MAE, {"MAE": 2.0}, step=10) == claim
    assert first_claim(np.full(9, NAN), np.zeros(9), ACCURACY, {}) is None
    assert first_claim(np.array([]), np.array([]), ACCURACY, {}) is None


# tests for a fixed end


def test_mcnemar_is_scipys() -> None:
    for a, b in [*itertools.product(range(12), range(12)), (40, 61), (997, 1103), (0, 900), (3000, 3001)]:
        expected = binomtest(a, a + b).pvalue if a + b else 1.0
        assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9, abs=0)
    assert mcnemar(500_000, 502_000) == pytest.approx(binomtest(500_000, 1_002_000).pvalue, rel=1e-7, abs=0)


def naive_newey_west(values: np.ndarray, lag: int) -> float:
    found = 0.0
    for h in range(lag + 1):
        covariance = sum(values[i] * values[i - h] for i in range(h, len(values))) / len(values)
        found += covariance * (1 if h == 0 else 2 * (1 - h / (lag + 1)))
    return float(found)


def test_diebold_mariano_is_the_naive_loop() -> None:
    rng = rng_of(3)
    for size, lag in ((30, 3), (100, 5), (1000, 10)):  # the lag is the cube root, rounded
        noise = rng.normal(0, 1, size + 2)
        values = noise[2:] + 0.6 * noise[1:-1] + 0.3 * noise[:-2] + 0.2
        mean = sum(values) / size
        variance = naive_newey_west(values - mean, lag)
        assert newey_west(values - mean, lag) == pytest.approx(variance)
        assert diebold_mariano(values) == pytest.approx(2 * norm.sf(abs(mean) / math.sqrt(variance / size)))
    for size, lag in ((1, 0), (1, 4), (3, 7)):
        values = rng.normal(0, 1, size)
        assert newey_west(values, lag) == pytest.approx(naive_newey_west(values, lag))
    assert diebold_mariano(values) is None
    assert diebold_mariano(np.zeros(100)) == 1.0
    assert diebold_mariano(np.full(100, 0.5)) == 0.0


def test_diebold_mariano_knows_of_runs() -> None:
    """Equals whose differences come in runs: 5 % or so at a fixed end, where a test that ignores runs has a third."""
    rng = rng_of(4)
    found, ignorant = 0, 0
    for _ in range(300):
        values = np.convolve(rng.normal(0, 1, 2004), np.ones(5), mode="valid")
        p = diebold_mariano(values)
        assert p is not None
        found += p < 0.05
        ignorant += abs(values.mean()) > 1.96 * values.std() / math.sqrt(len(values))
    assert found <= 300 * 0.08 + 3 * math.sqrt(300 * 0.08 * 0.92)  # the variance is a little small: Bartlett's weights
    assert ignorant > 80


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.5, 0.001, 0.4]) == pytest.approx([0.8, 0.003, 0.8])
    assert holm([0.02, 0.01], among=6) == pytest.approx([0.1, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


# compare


def three(rng: np.random.Generator, events: int = 2000) -> dict[str, np.ndarray]:
    return {
        "good": with_gaps(rng, right(rng, 0.9, events)),
        "bad": with_gaps(rng, right(rng, 0.6, events)),
        "near": right(rng, 0.895, events),
    }


def by_names(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(pair["a"], pair["b"]): pair for pair in found["pairs"]}


def test_accuracy_is_the_naive_loop() -> None:
    values = three(rng_of(11))
    found = compare(values, ACCURACY, {})
    assert json.loads(json.dumps(found)) == found
    common = [i for i in range(2000) if not any(math.isnan(each[i]) for each in values.values())]
    wrong = {name: sum(each[i] == 0 for i in common) for name, each in values.items()}
    assert (found["metric"], found["events"], found["common"], found["level"]) == ("Accuracy", 2000, len(common), 0.95)
    assert found["leader"] == min(wrong, key=lambda name: wrong[name])
    for name, each in values.items():
        scored = [value for value in each.tolist() if not math.isnan(value)]
        assert found["candidates"][name] == {
            "mean": pytest.approx(sum(scored) / len(scored)),
            "events": len(scored),
            "regret": wrong[name] - min(wrong.values()),
        }
    assert list(by_names(found)) == [("good", "bad"), ("good", "near"), ("bad", "near")]
    ps = []
    for (a, b), pair in by_names(found).items():
        both = [(x, y) for x, y in zip(values[a].tolist(), values[b].tolist(), strict=True) if x + y >= 0]
        differences = [x - y for x, y in both]
        low, high = oracle(differences, 1.0, 0.05 / 3)
        assert pair["events"] == len(both)
        assert (pair["difference"], pair["low"], pair["high"]) == pytest.approx(
            (sum(differences) / len(both), low, high)
        )
        assert pair["better"] == (a if low > 0 else b if high < 0 else None)
        won, lost = both.count((1.0, 0.0)), both.count((0.0, 1.0))
        ps.append(binomtest(won, won + lost).pvalue)
        assert pair["test"]["name"] == "McNemar"
        assert pair["test"]["p"] == pytest.approx(ps[-1], rel=1e-6, abs=0)
    assert [pair["test"]["p_holm"] for pair in found["pairs"]] == pytest.approx(holm(ps), rel=1e-6, abs=0)
    assert [pair["better"] for pair in found["pairs"]] == ["good", None, "near"]
    assert found["best"] is None
    other = {"good": "near", "near": "good"}[found["leader"]]
    assert found["why"] == f"{found['leader']} is not distinguishable from {other}"
    del values["near"]
    assert compare(values, ACCURACY, {})["best"] == "good"
    assert compare(values, ACCURACY, {})["why"] is None


def test_less_of_a_loss_is_better_and_rmse_is_compared_as_mse() -> None:
    rng = rng_of(12)
    errors = {"a": rng.uniform(-1, 1, 3000), "b": rng.uniform(-2, 2, 3000)}
    squares = {name: each**2 for name, each in errors.items()}
    found = compare(squares, RMSE, {"RMSE": 2.0})
    (pair,) = found["pairs"]
    assert (found["metric"], found["leader"], found["best"], pair["better"]) == ("MSE", "a", "a", "a")
    assert pair["difference"] == pytest.approx(found["candidates"]["a"]["mean"] - found["candidates"]["b"]["mean"])
    low, high = oracle((squares["a"] - squares["b"]).tolist(), 4.0, 0.05)
    assert (pair["low"], pair["high"]) == pytest.approx((low, high))
    assert pair["low"] < pair["high"] < 0
    assert pair["test"] == {"name": "Diebold-Mariano", "p": pytest.approx(0), "p_holm": pytest.approx(0)}
    assert found["candidates"]["b"]["regret"] == pytest.approx(sum(squares["b"]) - sum(squares["a"]))
    in_percent = compare({name: np.abs(each) for name, each in errors.items()}, MAPE, {"MAPE": 200.0})
    (pair,) = in_percent["pairs"]
    low, high = oracle((abs(errors["a"]) - abs(errors["b"])).tolist(), 2.0, 0.05)
    assert (pair["low"], pair["high"]) == pytest.approx((100 * low, 100 * high))
    assert pair["difference"] == pytest.approx(100 * (abs(errors["a"]).mean() - abs(errors["b"]).mean()))
    assert in_percent["candidates"]["a"]["mean"] == pytest.approx(100 * abs(errors["a"]).mean())


def test_without_a_bound_only_the_test_speaks() -> None:
    rng = rng_of(13)
    losses = {"a": rng.exponential(1, 1000), "b": rng.exponential(3, 1000)}
    found = compare(losses, MAE, {})
    (pair,) = found["pairs"]
    why = "no bound of its loss is declared: set MAE in [validation.bounds]"
    assert (pair["low"], pair["high"], pair["better"], pair["why"]) == (None, None, None, why)
    assert pair["difference"] == pytest.approx(losses["a"].mean() - losses["b"].mean())
    assert pair["test"]["p"] < 1e-6
    assert (found["leader"], found["best"]) == ("a", None)
    assert found["why"] == f"a is not distinguishable from b; {why}"


def test_a_loss_beyond_its_bound_ends_the_intervals_of_its_candidate() -> None:
    rng = rng_of(14)
    losses = {name: rng.uniform(0, most, 2000) for name, most in (("a", 1.0), ("b", 2.0), ("c", 2.0))}
    losses["b"][41] = 2.5
    found = compare(losses, MAE, {"MAE": 2.0})
    pairs = by_names(found)
    why = "b: the loss of event 42 is 2.5, beyond the declared bound of 2"
    for names in (("a", "b"), ("b", "c")):
        assert (pairs[names]["low"], pairs[names]["better"], pairs[names]["why"]) == (None, None, why)
    assert pairs["a", "c"]["better"] == "a"
    assert (found["best"], found["why"]) == (None, f"a is not distinguishable from b; {why}")


def test_who_was_never_scored_is_told() -> None:
    rng = rng_of(15)
    values = {"a": right(rng, 0.9, 500), "never": np.full(500, NAN), "b": right(rng, 0.1, 500)}
    found = compare(values, ACCURACY, {})
    assert found["candidates"]["never"] == {"mean": None, "events": 0, "regret": None}
    assert (found["common"], found["leader"], found["best"]) == (500, "a", None)
    assert found["why"] == "a is not distinguishable from never; no event is scored for both"
    pair = by_names(found)["a", "never"]
    assert (pair["events"], pair["difference"], pair["test"]) == (0, None, None)
    assert by_names(found)["a", "b"]["test"]["p_holm"] == pytest.approx(
        3 * by_names(found)["a", "b"]["test"]["p"], abs=0
    )
    halves = np.where(np.arange(500) < 250, NAN, 1.0)
    apart = compare({"a": halves, "b": np.where(np.isnan(halves), 1.0, NAN)}, ACCURACY, {})
    assert (apart["common"], apart["leader"], apart["best"]) == (0, None, None)
    assert apart["why"] == "no candidate has a finite loss on events where all were scored"
    assert apart["candidates"]["a"] == {"mean": 1.0, "events": 250, "regret": None}
    assert compare({"a": np.array([]), "b": np.array([])}, ACCURACY, {})["best"] is None


def test_regret_is_that_of_the_same_events() -> None:
    """Who answers only where it is easy does not lead."""
    hard = np.arange(1000) % 2 == 0
    picky = np.where(hard, NAN, np.arange(1000) % 100 < 99)
    found = compare({"picky": picky, "all": np.where(hard, 0.0, 1.0)}, ACCURACY, {})
    assert found["candidates"]["picky"]["mean"] > found["candidates"]["all"]["mean"]
    assert (found["common"], found["leader"], found["candidates"]["all"]["regret"]) == (500, "all", 0)


def test_a_model_that_explodes_is_told_without_infinity() -> None:
    """Squares near the largest number there is: their sum is none any more, and no warning comes of it."""
    rng = rng_of(21)
    squares = {"calm": rng.uniform(0, 1, 100), "burst": rng.uniform(0.5, 1, 100) * 1e308, "never": np.full(100, NAN)}
    found = compare(squares, RMSE, {"RMSE": 2.0})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["candidates"]["burst"] == {
        "mean": pytest.approx((squares["burst"] / 100).sum()),
        "events": 100,
        "regret": None,
    }
    assert (found["leader"], found["candidates"]["calm"]["regret"]) == ("calm", 0)
    pair = by_names(found)["calm", "burst"]
    assert pair["why"].startswith("burst: the loss of event 1 is ")
    assert pair["difference"] == pytest.approx(-found["candidates"]["burst"]["mean"])
    assert pair["test"]["p"] == pytest.approx(diebold_mariano((squares["calm"] - squares["burst"]) / 1e300), abs=0)
    both = compare({"a": squares["burst"], "b": squares["burst"]}, MAE, {})
    assert (both["leader"], both["why"]) == (None, "no candidate has a finite loss on events where all were scored")


def test_one_candidate_has_nothing_beside_it() -> None:
    found = compare({"a": np.array([1.0, 0.0, NAN])}, ACCURACY, {})
    assert (found["leader"], found["best"], found["pairs"]) == ("a", "a", [])
    assert found["candidates"] == {"a": {"mean": 0.5, "events": 2, "regret": 0.0}}


def test_all_equal_are_not_distinguishable() -> None:
    values = right(rng_of(16), 0.8, 3000)
    found = compare({"c": values, "a": values.copy(), "b": values.copy()}, ACCURACY, {})
    assert (found["leader"], found["best"], found["why"]) == ("a", None, "a is not distinguishable from c, b")
    for pair in found["pairs"]:
        assert (pair["difference"], pair["better"], pair["test"]["p"], pair["test"]["p_holm"]) == (0, None, 1, 1)
        assert pair["low"] < 0 < pair["high"]
    assert {each["regret"] for each in found["candidates"].values()} == {0}


def test_the_order_of_candidates_makes_no_difference() -> None:
    values = three(rng_of(17))
    expected = compare(values, ACCURACY, {})
    for names in itertools.permutations(values):
        found = compare({name: values[name] for name in names}, ACCURACY, {})
        assert {key: found[key] for key in ("leader", "best", "common", "candidates")} == {
            key: expected[key] for key in ("leader", "best", "common", "candidates")
        }
        pairs = by_names(found)
        for (a, b), pair in by_names(expected).items():
            if (a, b) in pairs:
                assert pairs[a, b] == pair
            else:
                turned = {"a": b, "b": a, "difference": -pair["difference"], "low": -pair["high"], "high": -pair["low"]}
                assert pairs[b, a] == {**pair, **turned}


def test_of_many_only_pairs_with_the_leader_but_corrected_for_all() -> None:
    rng = rng_of(18)
    values = {f"c{number}": right(rng, 0.5, 400) for number in range(CANDIDATES_MAX + 1)}
    values["c7"] = right(rng, 0.95, 400)
    found = compare(values, ACCURACY, {})
    total = math.comb(len(values), 2)
    assert (found["leader"], found["best"]) == ("c7", "c7")
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [("c7", name) for name in values if name != "c7"]
    for pair in found["pairs"]:
        low, high = oracle((values["c7"] - values[pair["b"]]).tolist(), 1.0, 0.05 / total)
        assert (pair["low"], pair["high"]) == pytest.approx((low, high))
    least = min(found["pairs"], key=lambda pair: pair["test"]["p"])
    assert least["test"]["p_holm"] == pytest.approx(total * least["test"]["p"], abs=0)
    del values["c0"]
    assert len(compare(values, ACCURACY, {})["pairs"]) == math.comb(CANDIDATES_MAX, 2)


def test_the_level_is_kept() -> None:
    values = {"a": right(rng_of(19), 0.8, 1000), "b": right(rng_of(20), 0.7, 1000)}
    differences = (values["a"] - values["b"]).tolist()
    for level in (0.5, 0.99):
        (pair,) = compare(values, ACCURACY, {}, level=level)["pairs"]
        assert (pair["low"], pair["high"]) == pytest.approx(oracle(differences, 1.0, 1 - level))


def test_a_metric_that_is_no_mean_is_refused() -> None:
    with pytest.raises(MetricError, match="mean of one value an event, found R2"):
        compare({"a": np.zeros(3), "b": np.zeros(3)}, R2, {})


# from metrics to values


def test_the_metric_to_compare_by() -> None:
    binary = read_metrics(["F1", "LogLoss", "Accuracy"], "binary")
    assert comparable(binary, {}) == (ACCURACY, 1.0)  # as live comparisons do: the first that has intervals
    assert comparable(binary, {"LogLoss": 35.0}) == (LOG_LOSS, 35.0)
    assert comparable(binary[:2], {}) == (LOG_LOSS, None)
    assert comparable(binary[:1], {}) is None
    assert comparable(binary, {}, weighted=True) is None
    assert comparable([R2], {}) is None


def test_values_of_a_tallys_columns_are_rivers() -> None:
    ys, y_preds = [True, False, True, True], [True, True, None, False]
    tally = Tally([ACCURACY], 10, binary=True)
    columns = tally.add(ys, Outputs(y_preds))
    assert values_of(ACCURACY, columns[place_of(ACCURACY, tally)]) == pytest.approx([1, 0, NAN, 0], nan_ok=True)
    assert values_of(ACCURACY, ([True, False], [True, True])).dtype == float
    numbers = [3.0, 5.0, -1.0]
    tally = Tally([R2, MAE, RMSE], 10, binary=False)
    columns = tally.add(numbers, Outputs.of_numbers([2.0, None, 1.0]))
    for metric, judge in ((MAE, river_metrics.MAE), (RMSE, river_metrics.MSE)):
        expected = [judge().update(3.0, 2.0) or 1.0, NAN, (2.0 if judge is river_metrics.MAE else 4.0)]
        assert values_of(metric, columns[place_of(metric, tally)]) == pytest.approx(expected, nan_ok=True)
