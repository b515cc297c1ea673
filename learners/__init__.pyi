from learners.errors import LearnerError, LearnFailed, MetricError, RecipeError, StateError, UnseededRecipe
from learners.joined import Turn
from learners.learner import Learner
from learners.making import Making
from learners.metrics import fitting, read_metrics
from learners.parts import Ended, Sealed
from learners.pending import LabelPolicy
from learners.points import Point
from learners.predictor import Prediction
from learners.probe import LOST, Judgement, Probe, check_metric, goodness_of, metric_of
from learners.progressive import Scores
from learners.recipe import Recipe, Task, read_recipe
from learners.running import code_on_disk, why_river
from learners.tape import Culprit
from learners.weights import Weights

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
