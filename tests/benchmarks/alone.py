"""Runs a function in a process of its own, so that no measurement warms another."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.cores import pinned


def alone(function: Any, *arguments: Any, cores: Collection[int] | None = None) -> dict[str, Any]:
    """Run a function in a process of its own, on these cores if they are given, and return what it returned."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as answer:
        process = multiprocessing.get_context("spawn").Process(target=_answer, args=(answer.name, function, arguments))
        with pinned(cores):
            process.start()
        process.join()
        told = Path(answer.name).read_text(encoding="utf-8")
        assert process.exitcode == 0, f"{function.__name__} ended with {process.exitcode}: {told}"
        found: dict[str, Any] = json.loads(told)
        return found


def _answer(path: str, function: Any, arguments: Sequence[Any]) -> None:
    try:
        told = json.dumps(function(*arguments))
    except BaseException:
        told = traceback.format_exc()  # what is measured may say nothing on standard error
        raise
    finally:
        Path(path).write_text(told, encoding="utf-8")
