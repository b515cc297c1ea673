"""Golden predictions: a few inputs and the exact answers to them, as text; a restored learner must give them again.

Numbers are written as hexadecimal floats: equal text is equal bits. The text holds all that a check needs, the model
excepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from math import isfinite
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


_KINDS: dict[str, tuple[type | tuple[type, ...], Callable[[Any], str], Callable[[str], Any]]] = {
    "none": (type(None), lambda _: "", lambda _: None),
    "bool": ((bool, np.bool_), lambda value: str(bool(value)), lambda text: text == "True"),
    "int": ((int, np.integer), lambda value: str(int(value)), int),
    "float": ((float, np.floating), lambda value: float(value).hex(), float.fromhex),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "timedelta": (
        timedelta,
        lambda value: str(value // timedelta(microseconds=1)),
        lambda text: timedelta(microseconds=int(text)),
    ),
}
"""How each type is written and read, the narrower types first; all else is a string."""


def written(value: Any) -> list[str]:
    """Return [type, text] of a feature, label or number.

    >>> written(0.1), written(True), written(None)
    (['float', '0x1.999999999999ap-4'], ['bool', 'True'], ['none', ''])
    """
    for kind, (types, write, _) in _KINDS.items():
        if isinstance(value, types):
            return [kind, write(value)]
    return ["str", str(value)]


def read(pair: Sequence[str]) -> Any:
    """Return the value that was written.

    >>> read(written(-0.0)), read(written("ä"))
    (-0.0, 'ä')
    """
    kind, text = pair
    return text if kind == "str" else _KINDS[kind][2](text)


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
    for index, (x, expected) in enumerate(_read_golden(golden)):
        found = _answer(predict(x))
        if found != expected:
            raise StateError(
                f"golden prediction {index} differs: expected {expected}, found {found}",
                "the bytes were altered, or other versions of Python, river or numpy read them: rebuild the version",
            )


def sound_inputs(golden: str) -> list[dict[str, Any]]:
    """Return the golden inputs whose answers had no number that is not finite. Raises StateError.

    >>> golden = '{"inputs": [[["a", "int", "1"]], [["a", "int", "2"]]], "answers": [[["float", "nan"], null], '
    >>> sound_inputs(golden + '[["float", "0x1.0p+0"], null]]}')
    [{'a': 2}]
    """
    return [x for x, (y_pred, listed) in _read_golden(golden) if _is_sound([*y_pred, *chain(*listed or ())])]


def _is_sound(texts: Sequence[str]) -> bool:
    return all(
        kind != "float" or isfinite(read((kind, text))) for kind, text in zip(texts[::2], texts[1::2], strict=True)
    )


def _read_golden(golden: str) -> list[tuple[dict[str, Any], list[Any]]]:
    try:
        value = json.loads(golden)
        inputs = [{name: read(pair) for name, *pair in x} for x in value["inputs"]]
        return list(zip(inputs, value["answers"], strict=True))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise StateError(f"the golden predictions cannot be read: {error}", "restore another version") from error
