"""What every recipe must satisfy, to be trusted with versions. Each check raises AssertionError, and says where.

A check takes a recipe and a stream of events, in columns: `xs` with their features in order, `ys` the labels. Run them
on your own recipe with a few hundred of your own events.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from learners.golden import write_golden
from learners.learner import Learner
from learners.parts import Sealed
from learners.recipe import Recipe

METRIC = {"binary": "Accuracy", "multiclass": "Accuracy", "regression": "MAE"}
WINDOW = 50

Xs = Sequence[dict[str, Any]]
Ys = Sequence[Any]


def _new(recipe: Recipe, xs: Xs) -> Learner:
    return Learner.new(recipe, features=list(xs[0]), metrics=[METRIC[recipe.task]], window=WINDOW)


def _run(learner: Learner, xs: Xs, ys: Ys) -> Sealed:
    learner.test_then_train(copy.deepcopy(xs), list(ys))
    return learner.seal()


def _answers(learner: Learner, xs: Xs) -> str:
    return write_golden(xs, learner.predict_one)


def _assert_equal(found: Sealed, expected: Sealed, place: str) -> None:
    assert found.digest == expected.digest, f"{place}: other predictions while learning"
    assert found.golden == expected.golden, f"{place}: other predictions afterwards"
    assert found.scores == expected.scores, f"{place}: other scores: {found.scores}, not {expected.scores}"
    assert found.baselines == expected.baselines, f"{place}: other scores of the baselines"


def check_replay(recipe: Recipe, xs: Xs, ys: Ys) -> None:
    """Two runs over the same events are equal, to the bytes of their state."""
    first, second = _run(_new(recipe, xs), xs, ys), _run(_new(recipe, xs), xs, ys)
    _assert_equal(second, first, "replay")


def check_pure_predict(recipe: Recipe, xs: Xs, ys: Ys) -> None:
    """Predicting, any number of times, changes no later prediction: neither learned nor asked."""
    plain, asked = _new(recipe, xs), _new(recipe, xs)
    middle = len(xs) // 2
    for learner in (plain, asked):
        learner.test_then_train(copy.deepcopy(xs[:middle]), ys[:middle])
        learner.seal()
    first = _answers(asked, xs)
    assert _answers(asked, xs) == first, "asked twice: other answers"
    _assert_equal(_run(asked, xs[middle:], ys[middle:]), _run(plain, xs[middle:], ys[middle:]), "asked in the middle")


def check_dump_and_restore(recipe: Recipe, xs: Xs, ys: Ys) -> None:
    """Sealed and restored, a learner goes on as one that was only sealed, wherever the cut is."""
    for cut in (0, 1, len(xs) // 3, len(xs) - 1):
        whole = _new(recipe, xs)
        sealed = _run(whole, xs[:cut], ys[:cut])
        restored = Learner.restore(sealed.state, sealed.golden)
        assert _answers(restored, xs) == _answers(whole, xs), f"restored after {cut} events: other answers"
        expected, found = _run(whole, xs[cut:], ys[cut:]), _run(restored, xs[cut:], ys[cut:])
        _assert_equal(found, expected, f"restored after {cut} events")


def check_batches(recipe: Recipe, xs: Xs, ys: Ys) -> None:
    """How the events come in batches makes no difference."""
    expected = _run(_new(recipe, xs), xs, ys)
    for size in (1, 7, 64):
        learner = _new(recipe, xs)
        for start in range(0, len(xs), size):
            learner.test_then_train(copy.deepcopy(xs[start : start + size]), ys[start : start + size])
        found = learner.seal()
        _assert_equal(found, expected, f"batches of {size}")
        assert found.points == expected.points, f"batches of {size}: other score points"


def check_input_untouched(recipe: Recipe, xs: Xs, ys: Ys) -> None:
    """No model changes its x, and changing an x after it was learned changes nothing."""
    expected = _run(_new(recipe, xs), xs, ys)
    learner, given = _new(recipe, xs), [dict(x) for x in xs]
    for index, (x, y) in enumerate(zip(given, ys, strict=True)):
        learner.test_then_train([x], [y])
        assert x == xs[index], f"event {index}: the model changed its x"
        assert list(x) == list(xs[index]), f"event {index}: the model changed the order of its x"
        for name in x:
            x[name] = 1e6
        x["a feature that came later"] = 1.0
    _assert_equal(learner.seal(), expected, "inputs changed after they were learned")


LAWS = (check_replay, check_pure_predict, check_dump_and_restore, check_batches, check_input_untouched)
