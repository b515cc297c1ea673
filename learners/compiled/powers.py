"""pow(v, 0.5) and pow(v, 2.0) as libm gives them, at the cost of a root and a product. For kernels.

river takes roots by `v**0.5`, which is libm's pow; in one case of a thousand it is not the number that is nearest to
the true root, which is what a processor's root is. glibc's pow is within 0.54 units in the last place. So it gives the
nearest number unless the true value is near the middle between two numbers; only there is it asked. Other libms may be
worse: `quick` is 1 only where none of many values differed (`powers_differ`). The exponents are arguments: where one is
known beforehand, LLVM takes a root or a product.
"""

from __future__ import annotations

import math
from typing import Any

from learners.compiled.jit import inner, kernel

SPLIT = 134217729.0
"""2**27 + 1: splits a number into two halves whose products are exact (Dekker 1971, Veltkamp)."""

MARGIN = 1.1
"""Where 1.1 times what was rounded off rounds to another number, pow's 0.54 may do so, too."""

ROOT_MARGIN = 1.05
"""The same for roots of what lies between LEAST and MOST: 0.523. What glibc's pow(x, y) errs is, by its own bounds,
0.511 units, and at most 0.00005 more for each of |y log x|, which is 230 there."""

LEAST, MOST = 1e-200, 1e200


@inner
def roots(values: Any, out: Any, doubts: Any, half: float, quick: int) -> None:
    """Put pow(v, 0.5) into `out`, by a square root where they cannot differ (the rest is exact: Dekker's product)."""
    for j in range(len(values)):
        v = values[j]
        near = math.sqrt(v)
        spread = SPLIT * near
        high = spread - (spread - near)
        low = near - high
        square = near * near
        error = ((high * high - square) + 2.0 * high * low) + low * low
        rest = ((v - square) - error) * 0.5 / near
        out[j] = near
        doubts[j] = 0.0 if (near + ROOT_MARGIN * rest == near) & (v > LEAST) & (v < MOST) & (quick == 1) else 1.0
    for j in range(len(values)):
        if doubts[j] != 0.0 and values[j] != 0.0:
            out[j] = values[j] ** half


@inner
def squares(values: Any, out: Any, doubts: Any, two: float, quick: int) -> None:
    """Put pow(v, 2) into `out`, by a product where they cannot differ."""
    for j in range(len(values)):
        v = values[j]
        spread = SPLIT * v
        high = spread - (spread - v)
        low = v - high
        near = v * v
        error = ((high * high - near) + 2.0 * high * low) + low * low
        out[j] = near
        doubts[j] = 0.0 if (near + MARGIN * error == near) & (near > 1e-200) & (near < 1e200) & (quick == 1) else 1.0
    for j in range(len(values)):
        if doubts[j] != 0.0 and values[j] != 0.0:
            out[j] = values[j] ** two


@kernel("int64(float64[::1], float64[::1], float64[::1], float64[::1], float64, float64)")
def powers_differ(values: Any, quick: Any, right: Any, doubts: Any, half: float, two: float) -> int:
    """Return how many quick roots and squares are not what pow gives. The arrays after `values` are room for them."""
    differ = 0
    roots(values, quick, doubts, half, 1)
    roots(values, right, doubts, half, 0)
    for j in range(len(values)):
        differ += quick[j] != right[j]
    squares(values, quick, doubts, two, 1)
    squares(values, right, doubts, two, 0)
    for j in range(len(values)):
        differ += quick[j] != right[j]
    return differ
