"""What each contestant does with an event: river's model, one metric. Standard library and river only."""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from typing import Any

from river import linear_model, metrics, optim, preprocessing


class RiverLoop:
    """Predicts, scores and learns event by event; `done` after so many."""

    def __init__(self, count: int) -> None:
        self.left = count
        self._count = count
        self._model: Any = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))
        self._metric: Any = metrics.Accuracy()
        self._began = 0.0
        self._ended = 0.0

    def event(self, x: dict[str, Any]) -> None:
        """Predict, score, learn."""
        if self.left == self._count:
            self._began = time.perf_counter()
        y = x.pop("class") == "UP"
        self._metric.update(y, self._model.predict_one(x))
        self._model.learn_one(x, y)
        self.left -= 1
        if not self.left:
            self._ended = time.perf_counter()

    def tell(self, *packages: str) -> None:
        """Print what is asked for: seconds from the first event to the last, how many, accuracy, versions."""
        assert self.left == 0, f"{self.left} events are missing"
        told = {
            "seconds": self._ended - self._began,
            "events": self._count,
            "accuracy": self._metric.get(),
            "versions": {name: metadata.version(name) for name in (*packages, "river")},
        }
        print(json.dumps(told), flush=True)


def given() -> dict[str, Any]:
    """Return what the benchmark gives a script."""
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found
