"""What runs in this project's own environment, alone in a process: bare river, by hand, decoding, Tidemark."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

FIVE = ("Accuracy", "F1", "Precision", "Recall", "LogLoss")
TREE = "tree.HoeffdingTreeClassifier()"
BATCH = 5_000
"""Events that the limit, decode-only, takes at a time."""

HAND_BATCH = 500

COMPILED = "auto"
"""The engine that compiles what can be compiled."""


class Scored:
    """The model and river's metrics, as one writes them by hand: one of them by label, or all five by probability."""

    def __init__(self, learner: str, *, five: bool) -> None:
        from river import metrics  # noqa: PLC0415

        from learners import read_recipe  # noqa: PLC0415

        model: Any = read_recipe(learner, "binary").build()
        self.accuracy: Any = metrics.Accuracy()  # type: ignore[no-untyped-call]
        others: list[Any] = [getattr(metrics, name)() for name in FIVE[1:-1]]
        loss: Any = metrics.LogLoss()  # type: ignore[no-untyped-call]
        accuracy = self.accuracy

        def one(x: dict[str, Any], y: bool) -> None:  # noqa: FBT001
            accuracy.update(y, model.predict_one(x))
            model.learn_one(x, y)

        def all_five(x: dict[str, Any], y: bool) -> None:  # noqa: FBT001
            probabilities = model.predict_proba_one(x)
            label = max(probabilities, key=probabilities.get) if probabilities else None
            accuracy.update(y, label)
            for metric in others:
                metric.update(y, label)
            loss.update(y, probabilities.get(True, 0.5))
            model.learn_one(x, y)

        self.event = all_five if five else one


def in_memory(learner: str, lines: str, count: int, five: bool) -> dict[str, Any]:  # noqa: FBT001
    """Bare river over dicts that are there already."""
    with Path(lines).open("rb") as events:
        rows = [json.loads(line) for _, line in zip(range(45_312), events, strict=False)]
    pairs = [(row, row.pop("class") == "UP") for row in rows]
    scored = Scored(learner, five=five)
    done, event = 0, scored.event
    began = time.perf_counter()
    while done < count:
        for x, y in pairs[: count - done]:
            event(x, y)
        done += len(pairs)
    return {"seconds": time.perf_counter() - began, "events": count, "accuracy": scored.accuracy.get()}


def by_hand(learner: str, bootstrap: str, topic: str, count: int, five: bool) -> dict[str, Any]:  # noqa: FBT001
    """Consume, decode by orjson, predict, score, learn, commit every batch (asynchronously)."""
    import orjson  # noqa: PLC0415

    scored = Scored(learner, five=five)
    consumer = consumer_of(bootstrap, topic)
    done, event = 0, scored.event
    batch = consumer.consume(1, 30)
    began = time.perf_counter()
    while True:
        for message in batch:
            x = orjson.loads(message.value())
            event(x, x.pop("class") == "UP")
        done += len(batch)
        if batch:
            consumer.commit()
        if done >= count:
            break
        batch = consumer.consume(min(HAND_BATCH, count - done), 0.5)
    seconds = time.perf_counter() - began
    consumer.close()
    return {"seconds": seconds, "events": count, "accuracy": scored.accuracy.get()}


def decoding(bootstrap: str, topic: str, count: int, how: str) -> dict[str, Any]:
    """Consume, and decode into a column of float64 a feature: what nobody can be faster than. Commits nothing."""
    from stream.collector import collecting_seldom  # noqa: PLC0415
    from tests.benchmarks.decoded_only import decoder  # noqa: PLC0415

    consumer = consumer_of(bootstrap, topic)
    done = 0
    batch = consumer.consume(1, 30)
    decode = decoder(how, batch[0].value())
    began = time.perf_counter()
    with collecting_seldom():  # as Tidemark does: else it would be no limit
        while True:
            if batch:
                decode([message.value() for message in batch])
                done += len(batch)
            if done >= count:
                break
            batch = consumer.consume(min(BATCH, count - done), 0.5)
    seconds = time.perf_counter() - began
    consumer.close()
    return {"seconds": seconds, "events": done}


def consumer_of(bootstrap: str, topic: str) -> Any:
    """Return a consumer of a new group, from the first event on."""
    from confluent_kafka import Consumer  # noqa: PLC0415

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench-{os.getpid()}-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,  # else who empties the queue faster than it fills waits a second
        }
    )
    consumer.subscribe([topic])
    return consumer


def tidemark(learner: str, log: str, engine: str, every: str, more: str = "") -> dict[str, Any]:
    """Train to the end with five metrics; from the first event to the last version saved."""
    from tests.benchmarks.watching import Watch  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if COMPILED in engine:
        from learners.compiled import ready  # noqa: PLC0415

        assert ready(300)  # what others import is not measured either
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        head = train(Path(folder), learner, log, engine, f"every = '{every}'", more)
        return {
            "events": head.accounts.learned,
            "accuracy": head.proof.scores["Accuracy"]["cumulative"],
            "versions_saved": head.version,
            "engine": engine_of_run(Path(folder), head.run),
            **watch.told(),
        }


def engine_of_run(folder: Path, run: int) -> str:
    """Return what the run says of who ran the model: "compiled", or why not."""
    from store import Store  # noqa: PLC0415
    from stream.runs import engine_of  # noqa: PLC0415

    with Store.open(f"sqlite:///{folder}/tidemark.db") as store:
        return engine_of(store.model("m"), run) or "nothing is said"


def train(folder: Path, learner: str, log: str, engine: str, snapshots: str, more: str = "") -> Any:
    """Train in this process to the end that the log has now; return head. `snapshots` is in its table, `more` after."""
    from stream.config import read_config  # noqa: PLC0415
    from stream.consumer import Options, consume  # noqa: PLC0415
    from stream.screen import LogScreen  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415

    path = folder / "tidemark.toml"
    path.write_text(
        f"[model]\nname = 'm'\ntask = 'binary'\ntarget = 'class'\npositive = 'UP'\n{engine}\n"
        f"learner = '''{learner}'''\n[source]\nlog = '{log}'\n{more}\n[validation]\nwindow = 1000\n"
        f"metrics = {json.dumps(FIVE)}\n[snapshots]\nevery_events = 1_000_000_000\n{snapshots}\n",
        encoding="utf-8",
    )
    head = consume(read_config(path), Options(until_end=True), Stop(), LogScreen("bench"))
    assert head is not None
    assert head.accounts.held == 0, head.accounts
    return head
