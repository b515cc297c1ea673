"""How a model is asked about events and taught: by river's two calls, or by a pair that shares their work.

There is a pair for exact classes of river only, asked and taught by their own methods, with the parts that river gives
them; for whatever else, and for labels that river copies, there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from river.ensemble import ADWINBaggingClassifier, BaggingClassifier, LeveragingBaggingClassifier
from river.forest import ARFClassifier
from river.forest.adaptive_random_forest import BaseTreeClassifier
from river.metrics import Accuracy
from river.tree import HoeffdingAdaptiveTreeClassifier, HoeffdingTreeClassifier
from river.tree.splitter import GaussianSplitter

from learners.adaptive import AdaptiveTree
from learners.bags import AdwinBag, Bag, LeveragingBag
from learners.forests import Forest
from learners.pairs import PLAIN, Pair
from learners.trees import Tree

Ask = Callable[[Any], Any]
Learn = Callable[[Any, Any], Any]

TREES: dict[type, type[Pair[Any]]] = {HoeffdingTreeClassifier: Tree, HoeffdingAdaptiveTreeClassifier: AdaptiveTree}
BAGS: dict[type, type[Bag]] = {
    BaggingClassifier: Bag,
    ADWINBaggingClassifier: AdwinBag,
    LeveragingBaggingClassifier: LeveragingBag,
}


def paired(ask: Ask, learn: Learn, *, remember: bool = True) -> tuple[Ask, Learn]:
    """Return what does as `ask` and `learn` do, for the next events.

    `remember`: nobody else teaches the model between a question and the label of that event.

    >>> paired(print, print) == (print, print)
    True
    """
    model, kind = _of(ask), type(_of(ask))
    if _of(learn) is not model or kind not in {*TREES, *BAGS, ARFClassifier}:
        return ask, learn
    own: tuple[Any, Any] = (kind.predict_proba_one, kind.learn_one)
    if (getattr(ask, "__func__", None), getattr(learn, "__func__", None)) != own:
        return ask, learn
    pair = _pair(model, kind, remember=remember)
    return (ask, learn) if pair is None else (pair.ask, pair.learn)


def _of(call: Any) -> Any:
    return getattr(call, "__self__", None)


def _pair(model: Any, kind: Any, *, remember: bool) -> Pair[Any] | None:
    if kind in TREES:
        return TREES[kind](model, remember=remember) if _are_usual([model], kind) else None
    if kind is ARFClassifier:
        trees = [*model.data, *filter(None, model._background or ())]
        usual = model.splitter is None and all(type(each) is Accuracy for each in (model.metric, *model._metrics))
        return Forest(model, remember=remember) if usual and _are_usual(trees, BaseTreeClassifier) else None
    usual = _are_usual([model.model, *model.data], HoeffdingTreeClassifier)
    return BAGS[kind](model, remember=remember) if usual else None


def _are_usual(trees: Iterable[Any], kind: Any) -> bool:
    """Tell whether all trees are of the very class, observe as river does by itself, and know plain labels only."""
    return all(
        type(tree) is kind and type(tree.splitter) is GaussianSplitter and PLAIN.issuperset(map(type, tree.classes))
        for tree in trees
    )
