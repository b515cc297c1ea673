"""A bare river loop over what a lineage says it learned, in the order in which it says so: what a head must equal.

Only the order is taken from the store. Which events were to be held, the test says; all numbers are river's.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from river import linear_model, metrics, naive_bayes, optim, preprocessing, tree

from learners import Learner
from store import ModelStore
from store.types import Version

Place = tuple[int, int]
"""Partition and offset."""

RECIPES: dict[str, Callable[[], Any]] = {
    "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))": lambda: (
        preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))
    ),
    "tree.HoeffdingTreeClassifier(grace_period=50)": lambda: tree.HoeffdingTreeClassifier(grace_period=50),
    "naive_bayes.GaussianNB()": naive_bayes.GaussianNB,
}


@dataclass
class Bare:
    """A river model with its scores; `digest` is of the predictions since `renew`."""

    model: Any
    accuracy: metrics.Accuracy = field(default_factory=metrics.Accuracy)
    loss: metrics.LogLoss = field(default_factory=metrics.LogLoss)
    learned: int = 0
    answers: list[Mapping[bool, float]] = field(default_factory=list)

    def learn(self, x: Mapping[str, float], *, y: bool) -> None:
        """Predict, score, learn."""
        answer = self.model.predict_proba_one(x)
        self.answers.append(answer)
        if answer:
            self.accuracy.update(y, max(answer, key=answer.__getitem__))
            self.loss.update(y, answer)
        self.model.learn_one(x, y)
        self.learned += 1

    def digest(self) -> str:
        """Return the sha256 of the predictions so far: labels (none), classes and numbers are hashed apart."""
        classes, numbers = hashlib.sha256(), hashlib.sha256()
        for answer in self.answers:
            known = tuple(sorted(answer))
            classes.update(hashlib.sha256(repr(known).encode()).digest()[:8])
            numbers.update(array("d", [answer[label] for label in known]))
        columns = (hashlib.sha256(), classes, numbers)
        return hashlib.sha256(b"".join(column.digest() for column in columns)).hexdigest()


def read_by(model: ModelStore, version: Version) -> Iterator[tuple[str, Place]]:
    """Give out (kind, place) of all that one version read, in order."""
    for run in model.segment(version.version).runs:
        if run.kind in ("read", "late"):
            yield from ((run.kind, (run.partition, offset)) for offset in range(run.start, run.stop))


def learned_late(model: ModelStore, lineage: Iterable[Version]) -> list[Place]:
    """Return the places that a lineage learned in late runs."""
    return [place for version in lineage for kind, place in read_by(model, version) if kind == "late"]


def assert_equals_river(
    model: ModelStore,
    untrained: Any,
    event: Callable[[Place], tuple[Mapping[str, float], bool] | None],
    held: Callable[[Place], bool],
    probes: Sequence[Mapping[str, float]],
) -> int:
    """Compare head with a bare loop: all predictions of its lineage, its scores, and what it answers to the probes.

    `untrained` is a river model. `event` gives x and y of a place, None for what is malformed; `held` tells what was
    never to be learned. What was learned late was held in its place. Returns how many events were learned.
    """
    head = model.head()[0]
    lineage = model.lineage(head.version)
    late = learned_late(model, lineage)
    assert len(set(late)) == len(late), "an event was learned late twice"
    bare, passed = Bare(untrained), set(late)
    for version in lineage:
        bare.answers.clear()
        for kind, place in read_by(model, version):
            example = event(place)
            if example is not None and not held(place) and (kind == "late" or place not in passed):
                bare.learn(example[0], y=example[1])
        if version.kind == "save":
            assert version.proof.digest == bare.digest(), f"version {version.version}: other predictions"
            assert version.accounts.learned == bare.learned, f"version {version.version}"
        assert version.accounts.balanced, f"version {version.version}"
    scores = head.proof.scores
    assert scores["Accuracy"]["cumulative"] == bare.accuracy.get()
    assert scores["LogLoss"]["cumulative"] == bare.loss.get()
    learner = Learner.restore(model.payload(head.version), head.proof.golden)
    for x in probes:
        assert learner.predict_one(x).probabilities == bare.model.predict_proba_one(dict(x))
    return bare.learned


def assert_read_once(model: ModelStore, ends: Mapping[int, int]) -> None:
    """Add up the segments of head's lineage: all of each partition was read or passed over once, in order."""
    reached = dict.fromkeys(ends, 0)
    for version in model.lineage(model.head()[0].version):
        for run in model.segment(version.version).runs:
            if run.kind == "late":
                assert run.stop <= reached[run.partition], "learned late before it was read"
                continue
            assert run.start == reached[run.partition], (version.version, run)
            reached[run.partition] = run.stop
    assert reached == dict(ends)
