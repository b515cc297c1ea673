"""What learns, and how it is judged: recipes, learners, scores. Knows river and numpy; does no I/O.

A name brings its module when it is asked for: who uses a table needs no river, whose import takes two seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "learners.errors": ("LearnerError", "LearnFailed", "MetricError", "RecipeError", "StateError", "UnseededRecipe"),
    "learners.joined": ("Turn",),
    "learners.learner": ("Learner",),
    "learners.making": ("Making",),
    "learners.metrics": ("fitting", "read_metrics"),
    "learners.parts": ("Ended", "Sealed"),
    "learners.pending": ("LabelPolicy",),
    "learners.points": ("Point",),
    "learners.predictor": ("Prediction",),
    "learners.probe": ("LOST", "Judgement", "Probe", "check_metric", "goodness_of", "metric_of"),
    "learners.progressive": ("Scores",),
    "learners.recipe": ("Recipe", "Task", "read_recipe"),
    "learners.running": ("code_on_disk", "why_river"),
    "learners.tape": ("Culprit",),
    "learners.weights": ("Weights",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "LOST",
    "Culprit",
    "Ended",
    "Judgement",
    "LabelPolicy",
    "LearnFailed",
    "Learner",
    "LearnerError",
    "Making",
    "MetricError",
    "Point",
    "Prediction",
    "Probe",
    "Recipe",
    "RecipeError",
    "Scores",
    "Sealed",
    "StateError",
    "Task",
    "Turn",
    "UnseededRecipe",
    "Weights",
    "check_metric",
    "code_on_disk",
    "fitting",
    "goodness_of",
    "metric_of",
    "read_metrics",
    "read_recipe",
    "why_river",
]


def __getattr__(name: str) -> Any:
    """Return a name from its module; the types of all are in the stub beside this file."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)
    return found
