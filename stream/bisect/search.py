"""Searches over places in a row, by a question that costs a replay: pure, and as few asks as can be."""

from __future__ import annotations

from collections.abc import Callable


def first_bad(good: int, bad: int, is_bad: Callable[[int], bool]) -> int:
    """Return the first bad place after `good`, which is good; `bad` is bad. At most `asks_max(bad - good)` asks.

    If places go back and forth, it is one that is bad right after a good one.

    >>> first_bad(0, 1000, lambda place: place >= 700)
    700
    """
    while bad - good > 1:
        middle = (good + bad) // 2
        if is_bad(middle):
            bad = middle
        else:
            good = middle
    return bad


def asks_max(places: int) -> int:
    """Return how often `first_bad` asks at most: log2, rounded up.

    >>> asks_max(1), asks_max(2), asks_max(45_312)
    (0, 1, 16)
    """
    return (places - 1).bit_length()


def nearest_good(bad: int, limit: int, step: int, is_good: Callable[[int], bool]) -> int | None:
    """Return the good place that is nearest to `bad`, on the way to `limit` (before it or after); None if none is.

    It leaps by `step`, and twice as far each time, until a place is good; then it halves what it leapt over last. `bad`
    is never asked. With d from `bad` to the place: at most 2 + log2(1 + d / step) + log2(step + d) asks.

    >>> nearest_good(0, 1000, 8, lambda place: place >= 100), nearest_good(50, 0, 1, lambda place: place <= 20)
    (100, 20)
    >>> nearest_good(0, 10, 1, lambda place: False)
    """
    way = 1 if limit >= bad else -1
    furthest, leapt = abs(limit - bad), 0
    reach = min(step, furthest)
    while reach > leapt and not is_good(bad + way * reach):
        leapt, reach = reach, min(3 * reach, furthest)
    if reach == leapt:
        return None
    return bad + way * first_bad(leapt, reach, lambda there: is_good(bad + way * there))
