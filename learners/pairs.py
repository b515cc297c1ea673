"""How a model is asked about an event and then taught it: by river's two calls, or by a pair that shares their work.

Invariant: answers and state are river's, bit for bit. There is a pair for exact classes of river only, asked and taught
by their own methods, with the parts that river gives them; for others, and for labels that river copies, none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from river.forest import ARFClassifier
from river.forest.adaptive_random_forest import BaseTreeClassifier
from river.metrics import Accuracy
from river.tree import HoeffdingTreeClassifier
from river.tree.splitter import GaussianSplitter

from learners.forests import Forest
from learners.trees import Tree

Ask = Callable[[Any], Any]
Learn = Callable[[Any, Any], Any]

PLAIN = frozenset({bool, int, float, str, type(None)})
"""Labels of which a deep copy is the label itself."""


def paired(ask: Ask, learn: Learn, ys: Sequence[Any]) -> tuple[Ask, Learn]:
    """Return what does as `ask` and `learn` do for events with these labels, as long as nobody else teaches the model.

    >>> paired(print, print, [True]) == (print, print)
    True
    """
    model = _of(ask)
    kind: type[Any] = type(model)
    if kind not in (ARFClassifier, HoeffdingTreeClassifier) or _of(learn) is not model:
        return ask, learn
    own: tuple[Any, Any] = (kind.predict_proba_one, kind.learn_one)
    if (getattr(ask, "__func__", None), getattr(learn, "__func__", None)) != own:
        return ask, learn
    trees = [model] if kind is HoeffdingTreeClassifier else list(_trees(model))
    if not _plain(chain(ys, *[tree.classes for tree in trees])):
        return ask, learn
    if kind is HoeffdingTreeClassifier:
        return _pair(Tree(model)) if type(model.splitter) is GaussianSplitter else (ask, learn)
    known = all(type(tree) is BaseTreeClassifier for tree in trees)
    usual = model.splitter is None and all(type(each) is Accuracy for each in (model.metric, *model._metrics))
    return _pair(Forest(model)) if known and usual else (ask, learn)


def _of(call: Any) -> Any:
    return getattr(call, "__self__", None)


def _pair(both: Tree | Forest) -> tuple[Ask, Learn]:
    return both.ask, both.learn


def _trees(forest: Any) -> Iterator[Any]:
    yield from forest.data
    yield from filter(None, forest._background or ())


def _plain(labels: Iterable[Any]) -> bool:
    return PLAIN.issuperset(map(type, labels))
