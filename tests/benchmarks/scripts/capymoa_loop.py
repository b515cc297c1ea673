"""CapyMOA (MOA, in Java): its Hoeffding tree over a file, by its own test-then-train loop in Java."""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata

from capymoa.classifier import HoeffdingTree
from capymoa.evaluation import prequential_evaluation
from capymoa.stream import ARFFStream


def main() -> None:
    """Learn the file."""
    task = json.loads(sys.argv[1])
    stream = ARFFStream(task["path"])
    learner = HoeffdingTree(schema=stream.get_schema())
    began = time.perf_counter()
    found = prequential_evaluation(stream, learner, window_size=1000, optimise=True)
    seconds = time.perf_counter() - began
    told = {
        "seconds": seconds,
        "events": found.cumulative.instances() if callable(found.cumulative.instances) else found.cumulative.instances,
        "accuracy": found.cumulative.accuracy() / 100,
        "versions": {"capymoa": metadata.version("capymoa")},
    }
    print(json.dumps(told))


main()
