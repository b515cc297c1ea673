"""How a learner is made: all that may be chosen of it, and its parts before anything is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Required, TypedDict

from learners.board import Board, Rules
from learners.health import Health
from learners.ids import Ids
from learners.intervals import check_bounds
from learners.metrics import read_metrics
from learners.parts import Parts
from learners.pending import LabelPolicy, Pending
from learners.predictor import needs_probabilities
from learners.recipe import Recipe
from learners.slices import SLICES_MAX
from learners.weights import UNWEIGHTED, Weights, require_weights


class Making(TypedDict, total=False):
    """What may be chosen of a learner.

    `features` is the order in which the model sees them, `window` the events of windowed scores and between points.
    With `labels`, labels come later than their events; without, each comes with its event. `joined`: they come in turns
    of their own (`Learner.take_turns`). `at_question`: unsupervised parts of a pipeline learn when an event is asked
    (river's compose.learn_during_predict). `fading`: the factor of faded scores, between 0 and 1. `slices`: features by
    whose values scores are given too, for the first `slices_max` values of each. `bounds`: of losses, by metric: such
    scores have intervals. `static_after`: a copy of the model that has learned so many events is judged beside it.
    `weights`, `score_weights`: what an event counts for when it is learned, when it is scored; with a half-life only
    where labels come later. `alone`: without baselines beside it.
    """

    features: Required[Sequence[str]]
    metrics: Required[Sequence[str]]
    window: Required[int]
    labels: LabelPolicy | None
    joined: bool
    at_question: bool
    fading: float | None
    slices: Sequence[str]
    slices_max: int
    bounds: Mapping[str, float]
    static_after: int | None
    weights: Weights
    score_weights: Weights
    alone: bool


def untrained_parts(recipe: Recipe, making: Making) -> Parts:
    """Return the parts of a new learner.

    Raises MetricError for a metric that does not fit the task, the model or weights; RecipeError for a model that takes
    no weights.
    """
    features, labels, fading = making["features"], making.get("labels"), making.get("fading")
    slices = tuple(dict.fromkeys(making.get("slices", ())))
    assert making["window"] > 0
    assert fading is None or 0 < fading < 1
    assert set(slices) <= set(features)
    weights, score_weights = making.get("weights", UNWEIGHTED), making.get("score_weights", UNWEIGHTED)
    assert labels is not None or (weights.half_life or score_weights.half_life) is None
    if weights:
        require_weights(recipe, features)
    asked = read_metrics(making["metrics"], recipe.task)
    bounds = dict(making.get("bounds", {}))
    check_bounds(asked, bounds)
    probabilities = needs_probabilities(recipe, asked, features)
    rules = Rules(
        asked,
        making["window"],
        recipe.task,
        fading,
        slices,
        making.get("slices_max", SLICES_MAX),
        bounds=bounds,
        static_after=making.get("static_after"),
        weights=score_weights,
    )
    return Parts(
        recipe=replace(recipe, search_path=None),
        features=tuple(features),
        metrics=tuple(metric.name for metric in asked),
        window=making["window"],
        model=recipe.build(),
        probabilities=probabilities,
        board=Board(rules, probabilities=probabilities, alone=making.get("alone", False)),
        pending=None if labels is None else Pending(labels, ids=Ids() if making.get("joined") else None),
        at_question=making.get("at_question", False),
        health=Health(rules.slices, rules.slices_max),
        weights=weights,
    )
