"""Vowpal Wabbit's command line, as its wheel has it (`python -m vowpalwabbit`): its driver reads the file, all in C++.

It has no StandardScaler, so it cannot learn the same: its default rule is adaptive, normalized and invariant instead.
What it predicts before it learns (progressive validation) gives accuracy, in a run of its own, untimed.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from pathlib import Path

import vowpalwabbit

OPTIONS = ["--loss_function", "logistic", "--bit_precision", "18", "--no_stdin", "--quiet"]


def main() -> None:
    """Learn the file; or, with `predictions`, learn it and say how often it was right."""
    task = json.loads(sys.argv[1])
    options = [*OPTIONS, "--data", task["path"]]
    if "predictions" in task:
        vowpalwabbit.Workspace(arg_list=[*options, "--predictions", task["predictions"]]).finish()
        print(json.dumps({"accuracy": right(task["path"], task["predictions"])}))
        return
    began = time.perf_counter()
    learned = vowpalwabbit.Workspace(arg_list=options)
    learned.finish()
    seconds = time.perf_counter() - began
    versions = {"vowpalwabbit": metadata.version("vowpalwabbit")}
    print(json.dumps({"seconds": seconds, "events": task["events"], "versions": versions}))


def right(events: str, predictions: str) -> float:
    """Return the share of the signs that were those of the labels."""
    found = hits = 0
    with Path(events).open(encoding="utf-8") as labels, Path(predictions).open(encoding="utf-8") as answers:
        for label, answer in zip(labels, answers, strict=True):
            found += 1
            hits += (float(answer) > 0) == label.startswith("1")
    return hits / found


main()
