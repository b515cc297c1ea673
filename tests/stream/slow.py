"""Linear models that take their time, as factories of recipes."""

from __future__ import annotations

import time
from typing import Any

from river import linear_model, optim, preprocessing


class Slow(linear_model.LogisticRegression):
    """Sleeps before it learns."""

    pause_s = 0.002

    def learn_one(self, x: dict[str, Any], y: Any, w: float = 1.0) -> None:
        time.sleep(self.pause_s)
        super().learn_one(x, y, w)


class LessSlow(Slow):
    """Sleeps less."""

    pause_s = 0.0005


def slow() -> Any:
    return preprocessing.StandardScaler() | Slow(optimizer=optim.SGD(0.05))


def less_slow() -> Any:
    return preprocessing.StandardScaler() | LessSlow(optimizer=optim.SGD(0.05))
