"""Golden predictions: a few inputs with the exact answers to them, as text, that a restored learner must give again.

Numbers are written as hexadecimal floats: equal text is equal bits. The text holds all that a check needs but the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

import numpy as np

from learners.errors import StateError

INPUTS_MAX = 8
"""The last inputs learned; SEMANTICS 12."""


class Answer(Protocol):
    """A prediction with its probabilities."""

    @property
    def y_pred(self) -> Any:
        """The label or number."""

    @property
    def probabilities(self) -> Mapping[Any, float] | None:
        """Probabilities by class, if there are any."""


_READ: dict[str, Callable[[str], Any]] = {
    "none": lambda _: None,
    "bool": lambda text: text == "True",
    "int": int,
    "float": float.fromhex,
    "str": str,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda text: timedelta(microseconds=int(text)),
}


def written(value: Any) -> list[str]:
    """Return [type, text] of a feature, label or number.

    >>> written(0.1), written(True), written(None)
    (['float', '0x1.999999999999ap-4'], ['bool', 'True'], ['none', ''])
    """
    match value:
        case None:
            return ["none", ""]
        case bool() | np.bool_():
            return ["bool", str(bool(value))]
        case int() | np.integer():
            return ["int", str(int(value))]
        case float() | np.floating():
            return ["float", float(value).hex()]
        case datetime() | date() | time():
            return [type(value).__name__, value.isoformat()]
        case timedelta():
            return ["timedelta", str(value // timedelta(microseconds=1))]
    return ["str", str(value)]


def read(pair: Sequence[str]) -> Any:
    """Return the value that was written.

    >>> read(written(-0.0)), read(written("ä"))
    (-0.0, 'ä')
    """
    return _READ[pair[0]](pair[1])


def write_golden(inputs: Sequence[Mapping[str, Any]], predict: Callable[[Mapping[str, Any]], Answer]) -> str:
    """Return the inputs with the answers to them, as JSON text."""
    value = {
        "inputs": [[[name, *written(value)] for name, value in x.items()] for x in inputs],
        "answers": [_answer(predict(x)) for x in inputs],
    }
    return json.dumps(value, separators=(",", ":"))


def _answer(answer: Answer) -> list[Any]:
    probabilities = answer.probabilities
    listed = None if probabilities is None else sorted([*written(c), *written(p)] for c, p in probabilities.items())
    return [written(answer.y_pred), listed]


def check_golden(golden: str, predict: Callable[[Mapping[str, Any]], Answer]) -> None:
    """Raise StateError unless the model answers the golden inputs as it did, bit for bit."""
    try:
        value = json.loads(golden)
        inputs = [{name: read(pair) for name, *pair in x} for x in value["inputs"]]
        expected = value["answers"]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise StateError(f"the golden predictions cannot be read: {error}", "restore another version") from error
    for index, x in enumerate(inputs):
        found = _answer(predict(x))
        if found != expected[index]:
            raise StateError(
                f"golden prediction {index} differs: expected {expected[index]}, found {found}",
                "the bytes were altered, or other versions of Python, river or numpy read them: rebuild the version",
            )
