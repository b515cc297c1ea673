"""What is measured: the shortest loop by hand, and Tidemark's trainer. Each runs in a process of its own."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LINEAR = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"


def fill(bootstrap: str, topic: str, events: Iterable[bytes]) -> None:
    """Put the events into a topic."""
    from stream.kafka import KafkaWriter  # noqa: PLC0415

    writer = KafkaWriter(bootstrap, topic, settings={})
    for event in events:
        writer.write(event)
    writer.close()


def by_hand(learner: str, bootstrap: str, topic: str, count: int) -> dict[str, Any]:
    """Consume, decode, predict, score, learn, commit every batch."""
    import orjson  # noqa: PLC0415
    from confluent_kafka import Consumer  # noqa: PLC0415
    from river import metrics  # noqa: PLC0415

    from learners import read_recipe  # noqa: PLC0415

    model, metric = read_recipe(learner, "binary").build(), metrics.Accuracy()
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"by-hand-{os.getpid()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    done = 0
    first = consumer.consume(1, 30)
    began = time.perf_counter()
    batch = first
    while True:
        for message in batch:
            x = orjson.loads(message.value())
            y = x.pop("class") == "UP"
            metric.update(y, model.predict_one(x))
            model.learn_one(x, y)
        done += len(batch)
        if batch:
            consumer.commit()
        if done >= count:
            break
        batch = consumer.consume(500, 0.5)
    seconds = time.perf_counter() - began
    consumer.close()
    return {"seconds": seconds, "accuracy": metric.get()}


def tidemark(learner: str, bootstrap: str, topic: str, count: int, more: str = "") -> dict[str, Any]:
    """Train with snapshots, scores, baselines and proof, to the end; `more` follows the source in the configuration."""
    from stream.config import read_config  # noqa: PLC0415
    from stream.consumer import Options, consume  # noqa: PLC0415
    from stream.screen import LogScreen  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415
    from stream.trainer import Trainer  # noqa: PLC0415

    took, busy = [], []
    train = Trainer.train

    def timed(self: Trainer) -> Any:
        began, idle = time.perf_counter(), time.process_time()
        head = train(self)
        took.append(time.perf_counter() - began)
        busy.append(time.process_time() - idle)
        return head

    Trainer.train = timed  # type: ignore[method-assign]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tidemark.toml"
        path.write_text(
            f"[model]\nname = 'm'\ntask = 'binary'\ntarget = 'class'\npositive = 'UP'\nlearner = '''{learner}'''\n"
            f"[source]\nlog = 'kafka://{bootstrap}/{topic}'\n{more}\n[validation]\nmetrics = ['Accuracy']\n"
            "[snapshots]\nevery_events = 20000\nevery = '5s'\n",
            encoding="utf-8",
        )
        head = consume(read_config(path), Options(until_end=True), Stop(), LogScreen("bench"))
    assert head is not None
    assert head.accounts.learned + head.accounts.pending == count, head.accounts
    return {
        "seconds": sum(took),
        "cpu_seconds": sum(busy),
        "accuracy": head.proof.scores["Accuracy"]["cumulative"],
        "pending": head.accounts.pending,
    }
