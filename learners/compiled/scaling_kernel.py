"""What scalers do, on arrays: for the loop of a linear model, which may have one in it, and as steps ahead of models.

What a scaler makes of events depends on nothing that comes after it. So where one goes ahead, it goes through a whole
batch before the next step does: what it makes of each event when it is asked (before the scaler learns it), and what
when it is taught (after), are two arrays.
"""

from __future__ import annotations

import math
from typing import Any

from learners.compiled import codes
from learners.compiled.jit import inner, kernel
from learners.compiled.powers import roots


@inner
def standardize(xs: Any, event: int, here: Any, means: Any, variances: Any, deviations: Any, seen: Any) -> None:
    """Put what a StandardScaler makes of an event into `seen`; 0.0 for what is missing."""
    for j in range(len(here)):
        value = (xs[event, j] - means[j]) / deviations[j]
        seen[j] = value if (variances[j] != 0.0) & (here[j] != 0.0) else 0.0


@inner
def center(xs: Any, event: int, here: Any, means: Any, seen: Any) -> None:
    """Put an event less the means (0.0 where nothing is scaled) into `seen`; 0.0 for what is missing."""
    for j in range(len(here)):
        seen[j] = xs[event, j] - means[j] if here[j] != 0.0 else 0.0


@inner
def rescale(xs: Any, event: int, here: Any, counts: Any, means: Any, variances: Any) -> None:
    """Let the scaler learn an event: StandardScaler.learn_one."""
    for j in range(len(here)):
        counts[j] += here[j]
    for j in range(len(here)):
        x, count, mean, var = xs[event, j], counts[j], means[j], variances[j]
        moved = mean + (x - mean) / count
        varied = var + ((x - mean) * (x - moved) - var) / count
        means[j] = moved if here[j] != 0.0 else mean
        variances[j] = varied if here[j] != 0.0 else var


@inner
def put(xs: Any, event: int, here: Any, seen: Any) -> bool:
    """Put `seen` in the place of an event, but for what is missing; return whether all of it is finite."""
    fine = True
    for j in range(len(here)):
        xs[event, j] = seen[j] if here[j] != 0.0 else math.nan
        fine = fine & math.isfinite(seen[j])
    return fine


@kernel(
    "boolean(float64[:, ::1], float64[:, ::1], boolean[::1], float64[::1], int64, int64, float64, float64[:, ::1],"
    " float64[:, ::1])"
)
def standard(
    asked: Any, taught: Any, asks: Any, ws: Any, scaling: int, quick: int, half: float, state: Any, room: Any
) -> bool:
    """Scale events in their place, of shape (events, features), NaN where one is missing: a StandardScaler.

    `asked` and `taught` are the same events as they are asked (those of `asks`; none: all) and taught; what weighs
    nothing is not learned. Returns whether all numbers are finite. Rows of the state, and of the room, are those of a
    linear model.
    """
    here, seen, doubts = room[codes.HERE], room[codes.SEEN], room[codes.DOUBT]
    counts, means, variances, deviations = state[codes.COUNT], state[codes.MEAN], state[codes.VAR], state[codes.ROOT]
    for event in range(len(asked)):
        for j in range(len(here)):
            here[j] = 0.0 if math.isnan(asked[event, j]) else 1.0
        fine = True
        if len(asks) == 0 or asks[event]:
            if scaling == codes.STANDARD:
                standardize(asked, event, here, means, variances, deviations, seen)
            else:
                center(asked, event, here, means, seen)
            fine = put(asked, event, here, seen)
        if ws[event] != 0.0:
            rescale(taught, event, here, counts, means, variances)
            if scaling == codes.STANDARD:
                roots(variances, deviations, doubts, half, quick)
                standardize(taught, event, here, means, variances, deviations, seen)
            else:
                center(taught, event, here, means, seen)
            fine = fine & put(taught, event, here, seen)
        if not fine:
            return False
    return True


@inner
def spread(xs: Any, event: int, here: Any, low: Any, high: Any, seen: Any) -> None:
    """Put what a MinMaxScaler makes of an event into `seen`; 0.0 for what is missing, NaN for what it does not know."""
    for j in range(len(here)):
        wide = high[j] - low[j]
        value = (xs[event, j] - low[j]) / wide
        seen[j] = value if (wide != 0.0) & (here[j] != 0.0) else 0.0


@kernel("boolean(float64[:, ::1], float64[:, ::1], boolean[::1], float64[::1], float64[:, ::1], float64[:, ::1])")
def min_max(asked: Any, taught: Any, asks: Any, ws: Any, state: Any, room: Any) -> bool:
    """Scale events in their place, as `standard` does: a MinMaxScaler."""
    here, seen, low, high = room[codes.HERE], room[codes.SEEN], state[codes.LOW], state[codes.HIGH]
    for event in range(len(asked)):
        for j in range(len(here)):
            here[j] = 0.0 if math.isnan(asked[event, j]) else 1.0
        fine = True
        if len(asks) == 0 or asks[event]:
            spread(asked, event, here, low, high, seen)
            fine = put(asked, event, here, seen)
        if ws[event] != 0.0:
            for j in range(len(here)):
                x = taught[event, j]
                low[j] = min(low[j], x)
                high[j] = max(high[j], x)
            spread(taught, event, here, low, high, seen)
            fine = fine & put(taught, event, here, seen)
        if not fine:
            return False
    return True
