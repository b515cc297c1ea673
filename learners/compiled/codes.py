"""The numbers by which engine and kernel of linear models name rows, parameters and choices. Kernels freeze them."""

from __future__ import annotations

COUNT, MEAN, VAR, ROOT, WEIGHT, KNOWN, FIRST, SECOND, CUMULATED = range(9)
"""Scaler: events, mean, variance and its root. Model: weight; is there one; the optimizer's sums; cumulated l1."""

LOW, HIGH = range(2)
"""Another scaler: the least and the greatest of each feature."""

INTERCEPT, CUMULATED_MAX, STEPS = range(3)
"""Numbers that are not of a feature."""

HERE, SEEN, DOUBT, MOVE, HELP, MORE = range(6)
"""Room for one event: is the feature there, its scaled value, is the quick way in doubt, its gradient; other values."""

SCALING, STEPPING, LOSS, LINK, QUICK = range(5)
"""What is chosen: a scaler, an optimizer, a loss, a mean function; whether roots may be taken the quick way."""

PLAIN, CENTERED, STANDARD, AHEAD = range(4)
"""No scaler; one that only centers; one that scales; others, which went ahead."""

SGD, ADAGRAD, ADAM, FTRL = range(4)
LOG, HINGE, FOCAL, SQUARED, ABSOLUTE, CAUCHY, INSENSITIVE, QUANTILE, HUBER, POISSON = range(10)
IDENTITY, SIGMOID, EXPONENTIAL = range(3)

L2, L1, CLIP, INITIAL, LOSS_A, LOSS_B, STEP_A, STEP_B, STEP_C, STEP_D, HALF, TWO, MINUS_ONE = range(13)
"""Parameters. The last three are exponents: where one is known beforehand, LLVM takes a root or a product, and libm's
pow, which river's code comes to, rounds otherwise in one case of a thousand."""
