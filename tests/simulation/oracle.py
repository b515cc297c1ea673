"""What a lineage must have learned, by another way: its recorded runs and holds, the lines as they were written, and
river's own models and metrics. Of Tidemark it takes nothing but the hash format of a version's predictions.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from river import forest, linear_model, metrics, naive_bayes, optim, preprocessing, tree

from learners.outputs import Digest, Outputs
from store.types import Run, Segment, Version

EVENTS, LABELS = "topic", "labels"


@dataclass(frozen=True)
class Kind:
    """A model under test: as a recipe, and built by hand."""

    task: str
    recipe: str
    build: Callable[[], Any]
    metrics: tuple[type, ...]

    @property
    def names(self) -> list[str]:
        return [metric.__name__ for metric in self.metrics]

    def label(self, source: random.Random, a: float, b: float) -> Any:
        noisy = a + source.gauss(0, 0.5) - b
        classes = "low" if noisy < -0.7 else "high" if noisy > 0.7 else "mid"
        return {"binary": noisy > 0, "multiclass": classes, "regression": noisy}[self.task]


_CLASSES = (metrics.Accuracy, metrics.MacroF1)
KINDS = {
    "logistic": Kind(
        "binary",
        "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.1))",
        lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.1)),
        (metrics.Accuracy, metrics.LogLoss),
    ),
    "linear": Kind(
        "regression",
        "preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.05))",
        lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.05)),
        (metrics.MAE, metrics.RMSE),
    ),
    "tree": Kind(
        "multiclass",
        "tree.HoeffdingTreeClassifier(grace_period=10, delta=0.1, tau=0.2)",
        lambda: tree.HoeffdingTreeClassifier(grace_period=10, delta=0.1, tau=0.2),
        _CLASSES,
    ),
    "bayes": Kind("multiclass", "naive_bayes.GaussianNB()", naive_bayes.GaussianNB, _CLASSES),
    "forest": Kind(
        "binary",
        "forest.ARFClassifier(n_models=2, seed=7, grace_period=10)",
        lambda: forest.ARFClassifier(n_models=2, seed=7, grace_period=10),
        (metrics.Accuracy, metrics.LogLoss),
    ),
}


@dataclass(frozen=True)
class Made:
    """One line as it was made. `x` is None where it is malformed; `at` and `due` in seconds since 1970.

    `numbers` are the features that can be read.
    """

    line: bytes
    x: dict[str, float] | None = None
    y: Any = None
    at: int | None = None
    due: int | None = None
    id: str = ""
    sensor: str = ""
    numbers: dict[str, float] = field(default_factory=dict)


def event(source: random.Random, kind: Kind, at: int, *, number: int, later: str) -> Made:
    """Make an event. `later`: its label comes with it (""), later ("moment"), or in a log of its own ("log")."""
    sensor = source.choice(["s1", "s2", "s3"])
    a, b = source.gauss(0, 1), source.gauss(0, 1)
    y = kind.label(source, a, b)
    due = at + source.choice([0, 0, 3, 10, 60])
    fields: dict[str, Any] = {"at": at, "s": sensor, "a": a, "b": b}
    if later == "log":
        fields["id"] = f"e{number}"
    else:
        fields["y"] = y
    if later == "moment":
        fields["known_at"] = due
    if source.random() < 0.06:
        if source.random() < 0.5:
            return Made(json.dumps({**fields, "a": "x"}).encode(), at=at, sensor=sensor, numbers={"b": b})
        return Made(source.choice([b"", b"{", b"\xff"]))
    return Made(json.dumps(fields).encode(), {"a": a, "b": b}, y, at, due, f"e{number}", sensor, {"a": a, "b": b})


def label(source: random.Random, of: Made) -> Made:
    """Make the record with an event's label."""
    assert of.due is not None
    if source.random() < 0.04:
        return Made(b"{")
    fields = {"id": of.id, "told_at": of.due, "y": of.y}
    return Made(json.dumps(fields).encode(), {}, of.y, of.due, None, of.id)


Lines = dict[str, dict[int, list[Made]]]
"""All records: topic, partition, offset."""

Place = tuple[str, int, int]


@dataclass
class Oracle:
    """Plays segments one after the other. `asked` are the places of events, in the order in which they were asked."""

    kind: Kind
    lines: Lines
    later: str = ""
    asked: list[tuple[str, Place]] = field(default_factory=list)
    read: int = 0
    held: int = 0
    learned: int = 0

    def __post_init__(self) -> None:
        self.model = self.kind.build()
        self.metrics = [metric() for metric in self.kind.metrics]
        self.inputs: deque[dict[str, float]] = deque(maxlen=8)
        self.raw: list[Any] = []
        self.clock: int | None = None
        self.due: list[tuple[int, int]] = []
        self.pending: dict[int, tuple[dict[str, float], Any, Any]] = {}
        self.ids: dict[str, int] = {}
        self.early: dict[str, Any] = {}

    def play(self, segment: Segment, *, closing: bool = False) -> None:
        """Learn what a version learned."""
        self.raw = []
        held = {(hold.topic, hold.partition, hold.offset) for hold in segment.holds}
        for kind, place in self.places(segment):
            topic, partition, offset = place
            self.read += topic == EVENTS and kind == "read"
            if place in held:
                self.held += topic == EVENTS and kind == "read"
                continue
            made = self.lines[topic][partition][offset]
            if topic == LABELS:
                self._tell(made)
                continue
            self.held -= kind == "late"
            self.asked.append((kind, place))
            self._ask(made)
        if closing:
            self._reveal(None)

    def places(self, segment: Segment) -> Iterator[tuple[str, Place]]:
        """Give out the places of a segment's records, held ones too, in the order in which they were read."""
        for runs in _together(segment.runs):
            yield from _in_order(runs, self.lines)

    def _ask(self, made: Made) -> None:
        assert made.x is not None, "a malformed event was learned"
        assert made.at is not None, "a well-formed one has a time"
        if self.later:
            self.clock = made.at if self.clock is None else max(made.at, self.clock)
            self._reveal(self.clock)
        x = made.x
        self.inputs.append(x)
        answer = self.model.predict_one(x) if self.kind.task == "regression" else self.model.predict_proba_one(x)
        self.raw.append(answer)
        number = len(self.asked)
        self.pending[number] = (x, made.y, answer)
        if self.later == "log":
            if made.id in self.early:
                heapq.heappush(self.due, (self.clock or 0, number))
            else:
                self.ids[made.id] = number
        elif self.later:
            heapq.heappush(self.due, (made.due or 0, number))
        else:
            self._learn(number)

    def _tell(self, made: Made) -> None:
        """Take in a label of the log of labels: what was due before it comes first."""
        assert made.at is not None, "a malformed label was learned"
        self.clock = made.at if self.clock is None else max(made.at, self.clock)
        self._reveal(self.clock - 1)
        number = self.ids.pop(made.id, None)
        if number is None:
            self.early[made.id] = made.y
        else:
            self._learn(number)

    def _reveal(self, now: int | None) -> None:
        while self.due and (now is None or self.due[0][0] <= now):
            self._learn(heapq.heappop(self.due)[1])

    def _learn(self, number: int) -> None:
        x, y, answer = self.pending.pop(number)
        for metric in self.metrics:
            if self.kind.task == "regression" or not metric.requires_labels:
                judged = answer
            else:
                judged = max(answer, key=answer.get) if answer else None
            if judged is not None and judged != {}:
                metric.update(y, judged)
        self.model.learn_one(x, y)
        self.learned += 1

    def check(self, version: Version) -> None:
        """Compare with a version: predictions of its segment, golden ones, scores and accounts, bit for bit."""
        told = (version.version, version.kind)
        accounts = version.accounts
        assert accounts.balanced, told
        found = (accounts.read, accounts.learned, accounts.held, accounts.pending, accounts.expired)
        assert found == (self.read, self.learned, self.held, len(self.pending), 0), told
        if version.kind == "skip":
            return
        digest = Digest()
        if self.kind.task == "regression":
            digest.add_numbers(self.raw)
        else:
            digest.add_probabilities(Outputs.of_probabilities(self.raw))
        assert version.proof.digest == digest.hexdigest(), told
        for name, metric in zip(self.kind.names, self.metrics, strict=True):
            value = version.proof.scores[name]["cumulative"]
            assert (0.0 if value is None else value) == metric.get(), (*told, name)
        golden = json.loads(version.proof.golden)
        inputs = [{name: float.fromhex(number) for name, _, number in x} for x in golden["inputs"]]
        assert inputs == list(self.inputs), told
        for x, (y_pred, listed) in zip(inputs, golden["answers"], strict=True):
            self.check_answer(x, _read(y_pred), None if listed is None else _probabilities(listed))

    def check_answer(self, x: dict[str, float], y_pred: Any, probabilities: dict[Any, float] | None) -> None:
        """Compare an answer with the oracle's own to x."""
        if self.kind.task == "regression":
            assert y_pred == self.model.predict_one(x)
        else:
            assert probabilities == self.model.predict_proba_one(x)
            assert y_pred == self.model.predict_one(x)


def _read(pair: Sequence[str]) -> Any:
    kind, text = pair
    if kind == "float":
        return float.fromhex(text)
    return {"none": None, "bool": text == "True", "str": text}[kind]


def _probabilities(listed: Sequence[Sequence[str]]) -> dict[Any, float]:
    return {_read(each[:2]): float.fromhex(each[3]) for each in listed}


def _together(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Give out the runs, those that were merged together."""
    group: list[Run] = []
    for run in runs:
        if group and (run.merged is None or run.merged != group[-1].merged):
            yield group
            group = []
        group.append(run)
    if group:
        yield group


def _in_order(runs: Sequence[Run], lines: Lines) -> Iterator[tuple[str, Place]]:
    """Give out the places of runs in the order in which they were read."""
    if runs[0].merged is None:
        for run in runs:
            if run.kind in ("read", "late"):
                yield from ((run.kind, (run.topic, run.partition, offset)) for offset in range(run.start, run.stop))
        return
    keys = []
    for run in runs:
        at = -1  # a record that is behind one before it takes that one's moment
        for offset in range(run.start, run.stop):
            made = lines[run.topic][run.partition][offset]
            at = at if made.at is None else max(at, made.at)
            keys.append((at, run.topic == EVENTS, run.partition, offset, run.topic))
    for _, _, partition, offset, topic in sorted(keys):
        yield "read", (topic, partition, offset)
