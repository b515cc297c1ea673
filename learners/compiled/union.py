"""A union of branches ahead of a model: selected features that are scaled, and categories one-hot.

An encoder makes a column of each category, in the order of the keys of what river's model is given; columns come as
categories do. River's union has the keys of its last transformer first. What an encoder knows depends on nothing after
it, so what comes to the model is one array for a batch: NaN where river has no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from learners.compiled.ahead import Steps
from learners.compiled.branches import COLUMNS_MAX, WORDS, Branch, branch_steps, chosen
from learners.compiled.recognition import Found
from learners.table import Layout, Table

CELLS_MAX = 500_000
"""Numbers of one part of a batch."""

EVENTS_MIN = 64
"""Events of one part, however many columns there are."""

TYPES = WORDS | {type(None)}


class Hot:
    """A OneHotEncoder on arrays. `names` are its keys, in the order in which an event has them."""

    def __init__(self, branch: Branch, layout: Layout) -> None:
        assert branch.hot is not None, "there is an encoder"
        self._branch = branch
        self._hot = branch.hot
        self._layout = layout
        self._full = False  # there were too many categories: there will be again

    def load(self, steps: Mapping[str, Any]) -> bool:
        """Take the state over; return whether it can be gone on with."""
        encoder, features = steps[self._hot], self._branch.names
        self._drops, self._first, self._fixed = encoder.drop_zeros, encoder.drop_first, encoder.categories is not None
        self._keys: dict[str, dict[Any, str]] = {name: {} for name in features}
        self._learned: dict[str, tuple[str, Any]] = {}
        self._fresh: dict[str, tuple[str, Any, int]] = {}
        known = {} if self._drops and not self._fixed else encoder.values
        if not (set(features) <= set(known) if self._fixed else set(known) <= set(features)):
            return False
        by_key = {f"{name}_{value}": (name, value) for name, values in known.items() for value in values}
        zeros = by_key if self._drops else encoder._zero_dict  # noqa: SLF001 - river's order
        whole = sum(map(len, known.values())) == len(by_key) == len(zeros)
        for key in zeros if whole else ():
            if key not in by_key or type(by_key[key][1]) not in WORDS:
                return False
            name, value = by_key[key]
            self._keys.get(name, {})[value] = key
            if not self._drops:
                self._learned[key] = name, value
        self._order()
        selected = self._branch.selected
        return whole and (selected is None or chosen(steps[selected], self._layout) == features)

    def bring(self, xs: Table, asks: np.ndarray, ws: np.ndarray) -> np.ndarray | None:
        """Return what comes of events, of shape (events, names): 1, 0, or NaN; None if anything is odd."""
        del asks
        if self._full:
            return None
        columns = {name: xs.others[name] for name in self._branch.names}
        for values in columns.values():
            if not set(map(type, values)) <= TYPES or (self._branch.whole and None in values):
                return None
        if not self._meet(columns, ws):
            return None
        found = np.full((len(xs), len(self.names)), np.nan)
        if not self._drops:
            found[:, [self._place[key] for key in self._learned]] = 0.0
            for key, (_, _, first) in self._fresh.items():
                found[first:, self._place[key]] = 0.0
        for name, values in columns.items():
            places = {value: self._place[key] for value, key in self._keys[name].items()}
            at = np.array([places.get(value, -1) for value in values], dtype=np.intp)
            which = np.flatnonzero(at >= 0)
            found[which, at[which]] = 1.0
        return self._without_first(found) if self._first else found

    def _meet(self, columns: Mapping[str, Sequence[Any]], ws: np.ndarray) -> bool:
        """Make columns for categories that come first; return whether that can be."""
        open_to = {} if self._fixed else columns
        met = {name: set(values) - self._keys[name].keys() - {None} for name, values in open_to.items()}
        count = len(self.names) + sum(map(len, met.values()))
        self._full = count > COLUMNS_MAX
        if self._full:
            return False
        new = {name: {value: f"{name}_{value}" for value in values} for name, values in met.items()}
        if len({*self.names, *(key for keys in new.values() for key in keys.values())}) < count:
            return False
        for name, keys in new.items():
            self._keys[name].update(keys)
        self._fresh = {} if self._drops else self._begun(open_to, ws)
        if count > len(self.names) or self._fresh:
            self._order()
        return True

    def _begun(self, columns: Mapping[str, Sequence[Any]], ws: np.ndarray) -> dict[str, tuple[str, Any, int]]:
        """Return the keys that are learned first, in order: each with its feature, category, and the event's place."""
        begun: list[tuple[int, int, str, str, Any]] = []
        for number, (name, values) in enumerate(columns.items()):
            waiting = {value: key for value, key in self._keys[name].items() if key not in self._learned}
            for place, value in enumerate(values if waiting else ()):
                if value in waiting and ws[place] != 0.0:
                    begun.append((place, number, waiting.pop(value), name, value))
        return {key: (name, value, place) for place, _, key, name, value in sorted(begun)}

    def _order(self) -> None:
        """Put keys in order: those that are learned, as they were; or by the features of events."""
        met = [key for keys in self._keys.values() for key in keys.values()]
        first = [] if self._drops else [*self._learned, *self._fresh]
        self.names = tuple(dict.fromkeys([*first, *met]))
        self._place = {key: place for place, key in enumerate(self.names)}

    def _without_first(self, found: np.ndarray) -> np.ndarray | None:
        """Leave out the least key of each event, as drop_first does. River raises where there is none."""
        order = np.array(sorted(range(len(self.names)), key=self.names.__getitem__), dtype=np.intp)
        there = ~np.isnan(found[:, order])
        if not there.any(axis=1).all():
            return None
        found[np.arange(len(found)), order[there.argmax(axis=1)]] = np.nan
        return found

    def see(self, asks: np.ndarray, learns: np.ndarray | None) -> None:
        """Keep what was brought last."""
        del asks, learns
        self._learned.update({key: (name, value) for key, (name, value, _) in self._fresh.items()})

    def kept(self) -> int:
        """Return what `undo` needs."""
        return len(self._learned)

    def undo(self, kept: int) -> None:
        """Go back to a state; columns stay."""
        while len(self._learned) > kept:
            self._learned.popitem()

    def store(self, steps: Mapping[str, Any]) -> None:
        """Give the state back."""
        encoder = steps[self._hot]
        for key, (name, value) in self._learned.items():
            if key not in encoder._zero_dict:  # noqa: SLF001 - as above
                encoder.values[name].add(value)
                encoder._zero_dict[key] = 0  # noqa: SLF001 - as above


class Union:
    """What comes to a model from several branches. As `Steps`, but its `names` are more from batch to batch."""

    def __init__(self, found: Found, layout: Layout) -> None:
        self._found = found
        self._layout = layout
        self._parts = [Steps(each, layout) if each.hot is None else Hot(each, layout) for each in found.branches]
        self.names: tuple[str, ...] = ()

    @property
    def events_max(self) -> int:
        """So many events at a time."""
        return max(EVENTS_MIN, CELLS_MAX // max(1, len(self.names)))

    @property
    def learned_columns(self) -> list[int]:
        """The columns that were learned since `load`, in the order in which they came first."""
        places = {name: place for place, name in enumerate(self.names)}
        return [places[name] for name in self._came]

    def load(self, model: Any) -> bool:
        """Take the state over from a river model; return whether it can be gone on with."""
        self._came: dict[str, None] = {}
        fits = [part.load(steps) for part, steps in self._pairs(model)]
        return self._named() and all(fits)

    def _pairs(self, model: Any) -> list[tuple[Steps | Hot, Mapping[str, Any]]]:
        steps = [branch_steps(model, self._found.union, each) for each in self._found.branches]
        return list(zip(self._parts, steps, strict=True))

    def _named(self) -> bool:
        """Name the columns; return whether all differ."""
        names = tuple([name for part in self._parts for name in part.names])
        self.names = self.names if names == self.names else names
        return len(set(names)) == len(names)

    def bring(self, xs: Table, asks: np.ndarray, ws: np.ndarray) -> np.ndarray | None:
        """Return what comes to the model, as `Steps.bring`."""
        if xs.layout != self._layout:
            return None
        found: list[np.ndarray] = []
        for part in self._parts:
            brought = part.bring(xs, asks, ws)
            if brought is None:
                return None
            found.append(brought)
        if not self._named():
            return None
        most = max(map(len, found))
        whole = [each if len(each) == most else np.concatenate([each, each]) for each in found]
        self._last = np.concatenate(whole, axis=1)
        return self._last

    def see(self, asks: np.ndarray, learns: np.ndarray | None) -> None:
        """Note which columns came to be learned, in what was brought last."""
        for part in self._parts:
            part.see(asks, learns)
        rest = np.array([place for place, name in enumerate(self.names) if name not in self._came], dtype=np.intp)
        if not rest.size:
            return
        events = len(self._last) if learns is None else len(learns)
        came = ~np.isnan(self._last[-events:, rest])
        if learns is not None:
            came &= learns[:, None]
        new = came.any(axis=0)
        columns, first = rest[new], came.argmax(axis=0)[new]
        self._came.update(dict.fromkeys(self.names[each] for each in columns[np.lexsort((columns, first))]))

    def kept(self) -> Any:
        """Return what `undo` needs."""
        return [part.kept() for part in self._parts], len(self._came)

    def undo(self, kept: Any) -> None:
        """Go back to a state; columns stay."""
        for part, each in zip(self._parts, kept[0], strict=True):
            part.undo(each)
        while len(self._came) > kept[1]:
            self._came.popitem()

    def store(self, model: Any) -> None:
        """Give the state back."""
        for part, steps in self._pairs(model):
            part.store(steps)
