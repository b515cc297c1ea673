"""The contestants of the table: each reads the same events, and says how many, how fast, and how often it was right."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.benchmarks import measured
from tests.benchmarks.alone import alone
from tests.benchmarks.decoded_only import OWN, WRITTEN, has_columns
from tests.benchmarks.environments import NotHad, interpreter, run_script
from tests.benchmarks.runs import LINEAR
from tests.benchmarks.stage import Size, Stage

ENGINE = "engine"
"""The setting of `[model]` that says what runs the learner: "river" (rows), or "auto": compiled where it can be."""

SMALL, LARGE, TREES = "small", "large", "trees"
SNAPSHOTS = "5s"

Run = Callable[[Stage, Size, Collection[int] | None], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One line of the table. `ready` raises `NotHad`; `same` says whether it must be right as often as river.

    `every`: it runs on all cores, not on one.
    """

    key: str
    name: str
    size: str
    metrics: str
    commits: str
    run: Run
    ready: Callable[[], object] = field(default=lambda: None)
    same: bool = True
    every: bool = False
    note: str = ""

    @property
    def compiled(self) -> bool:
        """Whether the learner must be compiled."""
        return self.key.startswith("columns")


def engine_setting(name: str) -> str:
    """Return the line of `[model]` that asks for an engine. Raises `NotHad` where Tidemark has no such setting."""
    from stream.config import Config  # noqa: PLC0415

    known = ENGINE in getattr(Config.model_fields["model"].annotation, "model_fields", {})
    if not known and name != "river":
        raise NotHad("this Tidemark runs river only")
    return f'{ENGINE} = "{name}"' if known else ""


def _tidemark(log: str, engine: str, learner: str, *, snapshots: str = SNAPSHOTS) -> Run:
    def run(stage: Stage, size: Size, cores: Collection[int] | None) -> dict[str, Any]:
        where = f"kafka://{stage.bootstrap}/{size.topic}" if log == "kafka" else f"file:{size.lines}"
        return alone(measured.tidemark, learner, where, engine_setting(engine), snapshots, cores=cores)

    return run


def _by_hand(*, five: bool) -> Run:
    return lambda stage, size, cores: alone(
        measured.by_hand, LINEAR, stage.bootstrap, size.topic, size.events, five, cores=cores
    )


def _in_memory(learner: str, *, five: bool) -> Run:
    return lambda _, size, cores: alone(measured.in_memory, learner, str(size.lines), size.events, five, cores=cores)


def _decoding(how: str) -> Run:
    return lambda stage, size, cores: alone(
        measured.decoding, stage.bootstrap, size.topic, size.events, how, cores=cores
    )


def _script(name: str) -> Run:
    def run(stage: Stage, size: Size, cores: Collection[int] | None) -> dict[str, Any]:
        group = f"bench-{uuid.uuid4().hex}"
        task = {"bootstrap": stage.bootstrap, "topic": size.topic, "events": size.events, "group": group}
        return run_script(name, f"{name}_loop", task, cores)

    return run


def _vw(stage: Stage, size: Size, cores: Collection[int] | None) -> dict[str, Any]:
    return run_script("vw", "vw_loop", {"path": str(size.vw), "events": size.events}, cores)


def vw_accuracy(stage: Stage, size: Size) -> float:
    """Return how often Vowpal Wabbit is right, from a run of its own that writes its predictions."""
    told = stage.folder / "predictions"
    found = run_script("vw", "vw_loop", {"path": str(size.vw), "predictions": str(told)}, None)
    return float(found["accuracy"])


def _capymoa(stage: Stage, size: Size, cores: Collection[int] | None) -> dict[str, Any]:
    return run_script("capymoa", "capymoa_loop", {"path": str(size.arff)}, cores)


def _columns() -> None:
    engine_setting("auto")


def _decodes() -> None:
    if not has_columns():
        raise NotHad("this Tidemark decodes into rows only")


ONE, ALL = "Accuracy", "five"
OURS = f"with every version, {SNAPSHOTS}"
EACH, AUTOMATIC, NONE = "every batch of 500, asynchronously", "by itself, every 5 s", "none"

LINEAR_TABLE = (
    Contestant(
        "columns-kafka", "Tidemark, columns, Kafka", LARGE, ALL, OURS, _tidemark("kafka", "auto", LINEAR), _columns
    ),
    Contestant(
        "columns-file", "Tidemark, columns, file", LARGE, ALL, OURS, _tidemark("file", "auto", LINEAR), _columns
    ),
    Contestant("rows-kafka", "Tidemark, rows, Kafka", SMALL, ALL, OURS, _tidemark("kafka", "river", LINEAR)),
    Contestant("rows-file", "Tidemark, rows, file", SMALL, ALL, OURS, _tidemark("file", "river", LINEAR)),
    Contestant("hand-1", "by hand: consume, orjson, river", SMALL, ONE, EACH, _by_hand(five=False)),
    Contestant("hand-5", "by hand, five metrics", SMALL, ALL, EACH, _by_hand(five=True)),
    Contestant("river-1", "bare river, dicts in memory", SMALL, ONE, NONE, _in_memory(LINEAR, five=False)),
    Contestant("river-5", "bare river, five metrics", SMALL, ALL, NONE, _in_memory(LINEAR, five=True)),
    Contestant("quix", "Quix Streams with river", SMALL, ONE, AUTOMATIC, _script("quix"), partial(interpreter, "quix")),
    Contestant("bytewax", "Bytewax with river", SMALL, ONE, NONE, _script("bytewax"), partial(interpreter, "bytewax")),
    Contestant(
        "aiokafka", "aiokafka with river", SMALL, ONE, AUTOMATIC, _script("aiokafka"), partial(interpreter, "aiokafka")
    ),
    Contestant(
        "vw",
        "Vowpal Wabbit, its text from a file",
        LARGE,
        "its loss",
        NONE,
        _vw,
        partial(interpreter, "vw"),
        same=False,
        note="`--loss_function logistic -b 18`, one pass over text, no cache. It has no StandardScaler, so it learns "
        "otherwise: by its default rule, adaptive, normalized and invariant. Accuracy of what it predicts before it "
        "learns, from a run of its own, untimed",
    ),
    Contestant("decode", "decode only: consume, Tidemark's columns", LARGE, NONE, NONE, _decoding(OWN), _decodes),
    Contestant("decode-written", "decode only: consume, msgspec, fromiter", LARGE, NONE, NONE, _decoding(WRITTEN)),
    Contestant(
        "columns-kafka-all",
        "Tidemark, columns, Kafka, all cores",
        LARGE,
        ALL,
        OURS,
        _tidemark("kafka", "auto", LINEAR),
        _columns,
        every=True,
    ),
    Contestant(
        "vw-all",
        "Vowpal Wabbit, all cores",
        LARGE,
        "its loss",
        NONE,
        _vw,
        partial(interpreter, "vw"),
        same=False,
        every=True,
    ),
)

TREE_TABLE = (
    Contestant(
        "tree-columns",
        "Tidemark, columns, Kafka",
        TREES,
        ALL,
        OURS,
        _tidemark("kafka", "auto", measured.TREE),
        _columns,
    ),
    Contestant("tree-kafka", "Tidemark, rows, Kafka", TREES, ALL, OURS, _tidemark("kafka", "river", measured.TREE)),
    Contestant("tree-river", "bare river, dicts in memory", TREES, ONE, NONE, _in_memory(measured.TREE, five=False)),
    Contestant(
        "capymoa",
        "CapyMOA, ARFF from a file",
        TREES,
        "its own",
        NONE,
        _capymoa,
        partial(interpreter, "capymoa"),
        same=False,
        note="its Hoeffding tree is MOA's, not river's; its own test-then-train loop, all in Java",
    ),
)
