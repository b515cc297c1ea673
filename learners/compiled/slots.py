"""Hashed features, or categories one-hot without zeros, ahead of a model, alone or in a union: slots, not columns.

A FeatureHasher gives each event its keys in the order of its features: which column is next to which differs from event
to event. Categories without zeros are few of many in each event. So what comes to the model is two arrays, of shape
(events, slots): numbers, NaN where a slot has none, and the columns that these are of, numbered as they come first. A
word is hashed once, by river itself, and remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from learners.compiled import slots_kernel
from learners.compiled.ahead import Steps
from learners.compiled.branches import WORDS, Branch, branch_steps, chosen
from learners.compiled.recognition import Found
from learners.table import Layout, Table

WORDS_MAX = 100_000
"""Words of a feature that are remembered: with more, all are hashed anew. What a model keeps has no such limit."""

TYPES = WORDS | {type(None)}
NUMBERS = np.array([1.0, -1.0, 0.0, np.nan])
"""What a word or a truth puts into its column, or a feature that is missing."""


class Columns(dict[Any, int]):
    """Columns by the keys of river, numbered as they come first; `names` has them in that order."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[Any] = []
        self._owners: dict[str, Any] = {}

    def of(self, key: str, owner: Any) -> int:
        """Return the column of a key that is of one feature only. Raises ValueError if it is of another, too."""
        if self._owners.setdefault(key, owner) != owner:
            raise ValueError(key)
        return self[key]

    def forget(self) -> None:
        """Begin anew."""
        self.clear()
        self.names.clear()
        self._owners.clear()

    def __missing__(self, key: Any) -> int:
        """Give a number to a key that has not come yet."""
        self[key] = column = len(self)
        self.names.append(key)
        return column


class Words(dict[Any, int]):
    """Column and number of each word of a feature, as one integer: four times the column, and the place in NUMBERS."""

    def __init__(self, name: str, encoder: Any, columns: Columns) -> None:
        super().__init__()
        self._name, self._encoder, self._columns = name, encoder, columns

    def __missing__(self, word: Any) -> int:
        """Hash it. Raises ValueError where river does."""
        if word is None:
            self[None] = 3
            return 3
        ((key, number),) = self._encoder.transform_one({self._name: word}).items()
        self[word] = code = 4 * self._columns[key] + {1: 0, -1: 1, 0: 2}[number]
        return code


class Categories(Words):
    """Words of a OneHotEncoder without zeros: those that are given, or all."""

    def __missing__(self, word: Any) -> int:
        """Name it. Raises ValueError if another feature has a category of that name."""
        given = self._encoder.categories
        missing = word is None or (given is not None and word not in given[self._name])
        self[word] = code = 3 if missing else 4 * self._columns.of(f"{self._name}_{word}", self._name)
        return code


class Hashed:
    """A FeatureHasher on arrays, or a OneHotEncoder without zeros."""

    def __init__(self, branch: Branch, layout: Layout, columns: Columns) -> None:
        self._branch, self._layout, self._columns = branch, layout, columns
        self.places = np.empty((0, len(branch.names)), dtype=np.int64)

    def load(self, steps: Mapping[str, Any]) -> bool:
        """Take over how it hashes; return whether it can be gone on with."""
        features, selected = self._branch.names, self._branch.selected
        encoder = steps[str(self._branch.hashed or self._branch.hot)]
        kind = Words if self._branch.hashed else Categories
        self._words = {name: kind(name, encoder, self._columns) for name in features if name in self._layout.others}
        self._encoder = encoder
        self._marks, self._first = np.empty(0, dtype=np.int64), 0
        return selected is None or chosen(steps[selected], self._layout) == features

    def bring(self, xs: Table) -> np.ndarray | None:
        """Return numbers, of shape (events, slots), and put their columns into `places`; None if anything is odd."""
        shape = len(xs), len(self._branch.names)
        found, self.places = np.empty(shape), np.empty(shape, dtype=np.int64)
        for place, name in enumerate(self._branch.names):
            if name in self._words:
                words = xs.others[name]
                if self._branch.whole and None in words:
                    return None
                if not self._put_words(words, self._words[name], found[:, place], self.places[:, place]):
                    return None
                continue
            ((key, sign),) = self._encoder.transform_one({name: 1.0}).items()
            self.places[:, place] = self._columns[key]
            found[:, place] = xs.numbers[:, self._layout.numbers.index(name)] * sign
            if self._branch.whole and np.isnan(found[:, place]).any():
                return None
        if self._branch.hashed:
            self._merge(found)
        return found

    @staticmethod
    def _put_words(values: list[Any], words: Words, found: np.ndarray, places: np.ndarray) -> bool:
        """Put numbers and columns of the words of a feature where they belong; return whether that could be."""
        if not set(map(type, values)) <= TYPES:
            return False
        if len(words) > WORDS_MAX:
            words.clear()
        try:
            coded = np.fromiter(map(words.__getitem__, values), dtype=np.int64, count=len(values))
        except ValueError:  # river cannot hash half a character, a name is of two
            return False
        found[:], places[:] = NUMBERS[coded & 3], coded >> 2
        return True

    def _merge(self, found: np.ndarray) -> None:
        """Add what came to one column in an event."""
        if len(self._marks) < len(self._columns):
            self._marks, self._first = np.full(2 * len(self._columns), -1), 0
        slots_kernel.merge(found, self.places, self._marks, self._first)
        self._first += found.size


class Slots:
    """What comes to a model from a hasher, and from branches of numbers beside it. `columns` has the keys of river."""

    def __init__(self, found: Found, layout: Layout) -> None:
        self._found, self._layout = found, layout
        self.columns = Columns()
        self._parts: list[Steps | Hashed] = [
            Hashed(each, layout, self.columns) if each.hashed or each.hot else Steps(each, layout)
            for each in found.branches
        ]

    def load(self, model: Any) -> bool:
        """Take the state over from a river model; return whether it can be gone on with."""
        self.columns.forget()
        fits = [part.load(steps) for part, steps in self._pairs(model)]
        return all(fits)

    def _pairs(self, model: Any) -> list[tuple[Steps | Hashed, Mapping[str, Any]]]:
        steps = [branch_steps(model, self._found.union, each) for each in self._found.branches]
        return list(zip(self._parts, steps, strict=True))

    def bring(self, xs: Table, asks: np.ndarray, ws: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return numbers as `Steps.bring`, and columns, of shape (events, slots); None if anything is odd."""
        if xs.layout != self._layout:
            return None
        found: list[np.ndarray] = []
        places: list[np.ndarray] = []
        for part in self._parts:
            brought = part.bring(xs) if isinstance(part, Hashed) else part.bring(xs, asks, ws)
            if brought is None:
                return None
            found.append(brought)
            if isinstance(part, Hashed):
                places.append(part.places)
            else:
                try:
                    columns = [self.columns.of(name, part) for name in part.names]
                except ValueError:
                    return None
                places.append(np.broadcast_to(np.array(columns, dtype=np.int64), (len(xs), len(columns))))
        most = max(map(len, found))
        whole = [each if len(each) == most else np.concatenate([each, each]) for each in found]
        return np.ascontiguousarray(np.concatenate(whole, axis=1)), np.ascontiguousarray(np.concatenate(places, axis=1))

    def touched(self, places: np.ndarray) -> np.ndarray:
        """Return the columns that events may change."""
        marks = np.zeros(max(1, len(self.columns)), dtype=bool)  # what is missing has a column, too
        marks[places] = True
        return np.flatnonzero(marks)

    def see(self, asks: np.ndarray, learns: np.ndarray | None) -> None:
        """Note which features came in what was brought last."""
        for part in self._parts:
            if isinstance(part, Steps):
                part.see(asks, learns)

    def kept(self) -> Any:
        """Return what `undo` needs."""
        return [part.kept() if isinstance(part, Steps) else None for part in self._parts]

    def undo(self, kept: Any) -> None:
        """Go back to a state; columns stay."""
        for part, each in zip(self._parts, kept, strict=True):
            if isinstance(part, Steps):
                part.undo(each)

    def store(self, model: Any) -> None:
        """Give the state back: a hasher has none."""
        for part, steps in self._pairs(model):
            if isinstance(part, Steps):
                part.store(steps)
