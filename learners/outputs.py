"""What a predictor answered to events in order, in columns, and the digest of a version's answers.

An answer is *absent* (None, or no probability for any class) or *not finite* (NaN, infinity, or no number at all): both
are counted, and neither enters a metric that takes numbers.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from learners.probable import Probable
from learners.table import Column

Probabilities = Mapping[Any, float]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Answers in columns: `labels` (classes; numbers for regression), and `numbers` for the metrics that take numbers.

    `numbers` are a mapping of probabilities, or a number, an event; None where absent or not finite; none at all if a
    classifier was asked for labels only. `block` are the probabilities as a table, if all events have the same classes.
    Answers that came as arrays are a `Column` of labels, and a `Column` or `Probable` of numbers: no object an event.

    >>> Outputs.of_numbers([None, 1.0, float("inf")]).numbers
    [None, 1.0, None]
    """

    labels: Sequence[Any]
    numbers: Sequence[Any] = ()
    raw: Sequence[Any] = ()
    block: Block | None = None
    absent: int = 0
    not_finite: int = 0

    @classmethod
    def of_labels(cls, labels: Sequence[Any]) -> Outputs:
        """Return the outputs of a classifier that was asked for labels."""
        return cls(labels, absent=labels.count(None))

    @classmethod
    def of_numbers(cls, raw: Sequence[Any]) -> Outputs:
        """Return the outputs of a regressor."""
        try:
            if np.isfinite(array("d", raw)).all():
                return cls(raw, raw, raw)
        except (TypeError, OverflowError):  # None, or an int beyond float
            pass
        numbers = [number if number is not None and _is_finite([number]) else None for number in raw]
        absent = raw.count(None)
        return cls(numbers, numbers, raw, absent=absent, not_finite=numbers.count(None) - absent)

    @classmethod
    def of_probabilities(cls, raw: Sequence[Probabilities], labels: Sequence[Any] | None = None) -> Outputs:
        """Return the outputs of a classifier that was asked for probabilities.

        Labels that are not given are those of river's Classifier.predict_one: the first of the most probable classes.

        >>> Outputs.of_probabilities([{}, {True: 0.5, False: 0.5}, {False: 0.5, True: 0.5}]).labels
        [None, True, False]
        """
        block = Block.of(raw)
        finite = block is not None and bool(np.isfinite(block.table).all())
        if labels is None and block is not None and finite:
            labels = block.labels()
        if block is None:
            raw = [{} if p is None else p for p in raw]
        if labels is None:
            labels = [most_probable(p) for p in raw]
        if finite:
            return cls(labels, raw, raw, block)
        numbers = [p if p and _is_finite(list(p.values())) else None for p in raw]
        absent = sum(not p for p in raw)
        return cls(labels, numbers, raw, block, absent=absent, not_finite=numbers.count(None) - absent)

    @classmethod
    def of_floats(cls, numbers: np.ndarray) -> Outputs:
        """Return the outputs of a regressor: float64 of shape (events,). The array must not change any more.

        >>> Outputs.of_floats(np.array([1.5, np.inf])).numbers, list(Outputs.of_floats(np.array([1.5])).labels)
        ([1.5, None], [1.5])
        """
        if not np.isfinite(numbers).all():
            return cls.of_numbers(numbers.tolist())
        column = Column(numbers)
        return cls(column, column, column)

    @classmethod
    def of_positives(cls, positive: np.ndarray) -> Outputs:
        """Return the outputs of a binary classifier that answers {False: 1.0 - p, True: p}: float64 of shape (events,).

        >>> Outputs.of_positives(np.array([0.5, 0.75])).labels.array.tolist()
        [False, True]
        """
        return cls._of_columns((False, True), (1.0 - positive, positive))

    @classmethod
    def of_table(cls, classes: Sequence[Any], table: np.ndarray) -> Outputs:
        """Return the outputs of a classifier: float64 of shape (events, classes), in the order of its dicts' classes.

        >>> Outputs.of_table(["b", "a"], np.array([[0.5, 0.5], [0.25, 0.75]])).labels
        ['b', 'a']
        """
        return cls._of_columns(tuple(classes), tuple(table.T))

    @classmethod
    def _of_columns(cls, classes: tuple[Any, ...], columns: tuple[np.ndarray, ...]) -> Outputs:
        raw = Probable(classes, columns)
        if not classes or not all(np.isfinite(column).all() for column in columns):
            return cls.of_probabilities(list(raw))
        places = sorted(range(len(classes)), key=lambda place: repr(classes[place]))
        table = np.empty((len(raw), len(classes)))
        for column, place in enumerate(places):
            table[:, column] = columns[place]
        block = Block(tuple([classes[place] for place in places]), table)
        return cls(raw.labels(), raw, raw, block)

    def in_columns(self) -> Outputs:
        """Return labels and numbers, as arrays where these hold them: the same values, for scores that are many.

        Probabilities must be those of True and False.

        >>> outputs = Outputs.of_probabilities([{True: 0.75, False: 0.25}]).in_columns()
        >>> type(outputs.labels).__name__, outputs.numbers[0]
        ('Column', {False: 0.25, True: 0.75})
        """
        numbers = Column.of(self.numbers)
        if isinstance(numbers, list):
            block = self.block if self.numbers is self.raw and self.block else Block.of(numbers)
            if block is not None and block.binary:
                numbers = Probable((False, True), tuple(np.ascontiguousarray(block.table.T)))
        return Outputs(Column.of(self.labels), numbers)

    def part(self, room: slice) -> Outputs:
        """Return the labels and numbers of some of the events: what scores are made of."""
        return Outputs(self.labels[room], self.numbers[room])


def _is_finite(numbers: list[Any]) -> bool:
    try:
        return bool(np.isfinite(array("d", numbers)).all())
    except (TypeError, OverflowError):  # no numbers, or an int beyond float
        return False


def most_probable(probabilities: Probabilities) -> Any:
    """Return the first of the most probable classes, None if there is none: river's Classifier.predict_one.

    >>> most_probable({"a": 0.2, "b": 0.4, "c": 0.4})
    'b'
    >>> most_probable({"a": 0.2, "b": None})
    """
    try:
        return max(probabilities, key=probabilities.__getitem__) if probabilities else None
    except TypeError:  # not all are numbers
        return None


@dataclass(frozen=True, slots=True)
class Block:
    """Probabilities of events that all have those of the same classes: `table` has an event a line, a class a column.

    >>> block = Block.of([{"b": 0.25, "a": 0.75}, {"a": 0.1, "b": 0.9}])
    >>> block.classes, block.table.tolist(), block.labels()
    (('a', 'b'), [[0.75, 0.25], [0.1, 0.9]], ['a', 'b'])
    """

    classes: tuple[Any, ...]
    table: np.ndarray

    @classmethod
    def of(cls, raw: Sequence[Probabilities]) -> Block | None:
        """Return the block, or None if the classes are not the same for all events, or an answer is none."""
        try:
            classes = tuple(sorted(raw[0], key=repr)) if raw else ()
            if not classes or sum(map(len, raw)) != len(classes) * len(raw):
                return None
            table = np.empty((len(raw), len(classes)))
            for column, label in enumerate(classes):
                table[:, column] = array("d", list(map(itemgetter(label), raw)))
        except (KeyError, TypeError, OverflowError):  # other classes, None, or no numbers
            return None
        return cls(classes, table)

    @property
    def binary(self) -> bool:
        """Whether the classes are False and True."""
        return self.classes == (False, True) and self.classes[0] is False and self.classes[1] is True

    def labels(self) -> list[Any] | None:
        """Return the most probable class of each event; None if one has a tie: the order of its classes decides."""
        if self.binary:
            low, high = self.table[:, 0], self.table[:, 1]
            return None if (low == high).any() else (low < high).tolist()
        top = self.table.max(axis=1, keepdims=True)
        if np.count_nonzero(self.table == top) != len(self.table):
            return None
        return list(map(self.classes.__getitem__, self.table.argmax(axis=1).tolist()))


class Digest:
    """sha256 of all answers since the last version, in order; how they came in batches makes no difference.

    Three streams are hashed, one a column (labels, classes, numbers), and then their hashes. Numbers enter as 8 bytes.

    >>> one, two = Digest(), Digest()
    >>> one.add_numbers([1.0, None, 2.0])
    >>> two.add_numbers([1.0]); two.add_numbers([None, 2.0])
    >>> one.hexdigest() == two.hexdigest()
    True
    """

    def __init__(self) -> None:
        self._labels, self._classes, self._numbers = (hashlib.sha256() for _ in range(3))

    def add_labels(self, labels: Sequence[Any]) -> None:
        """Take in labels of any type."""
        self._labels.update("".join([f"{label!r}\n" for label in labels]).encode())

    def add_numbers(self, numbers: Sequence[Any]) -> None:
        """Take in numbers, or None."""
        try:
            self._numbers.update(np.ascontiguousarray(_floats(numbers)).data)
            self._classes.update(bytes(len(numbers)))
        except (TypeError, OverflowError):
            for number in numbers:
                self._add_number(number)

    def _add_number(self, number: Any) -> None:
        try:
            self._numbers.update(array("d", [number]))
            self._classes.update(b"\0")
        except (TypeError, OverflowError):
            self._classes.update(b"\1")
            self.add_labels([number])

    def add_probabilities(self, outputs: Outputs) -> None:
        """Take in probabilities by class."""
        block = outputs.block
        if block is not None:
            self._classes.update(_code(block.classes) * len(outputs.raw))
            self._numbers.update(block.table.data)
            return
        for p in outputs.raw:
            classes = tuple(sorted(p, key=repr))
            self._classes.update(_code(classes))
            try:
                self._numbers.update(array("d", [p[label] for label in classes]))
            except (TypeError, OverflowError):
                self.add_labels([p[label] for label in classes])

    def hexdigest(self) -> str:
        """Return the digest so far."""
        columns = (self._labels, self._classes, self._numbers)
        return hashlib.sha256(b"".join(column.digest() for column in columns)).hexdigest()


def _floats(numbers: Sequence[Any]) -> np.ndarray:
    if isinstance(numbers, Column):
        return numbers.array
    return np.frombuffer(array("d", numbers))


def _code(classes: tuple[Any, ...]) -> bytes:
    return hashlib.sha256(repr(classes).encode()).digest()[:8]
