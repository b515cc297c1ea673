"""Which heights a plot of scores shows at first: the model's own, and baselines unless they would flatten it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FAR = 4.0
"""A baseline further off than so many times the height of the model's own lines is left outside."""
ROOM = 0.06

Values = Sequence[float | None]


def shown(own: Sequence[Values], others: Mapping[str, Values]) -> tuple[list[float] | None, list[str]]:
    """Return [lowest, highest] to show and who is outside; None where everything fits as it is.

    >>> shown([[4.0, 5.0, None]], {"NoChange": [35.0, 36.0], "Mean": [6.0, None]})
    ([3.88, 6.12], ['NoChange'])
    >>> shown([[0.8, 0.9]], {"Prior": [0.6]}), shown([[None]], {"Prior": [0.6]})
    ((None, []), (None, []))
    """
    known = [value for values in own for value in values if value is not None]
    if not known:
        return None, []
    low, high = min(known), max(known)
    far = FAR * (high - low)
    ends: list[float] = [low, high]
    outside = []
    for name, values in others.items():
        theirs = [value for value in values if value is not None]
        if theirs and (min(theirs) < low - far or max(theirs) > high + far):
            outside.append(name)
        else:
            ends += theirs
    if not outside:
        return None, []
    room = ROOM * ((max(ends) - min(ends)) or abs(max(ends)) or 1.0)
    return [min(ends) - room, max(ends) + room], outside
