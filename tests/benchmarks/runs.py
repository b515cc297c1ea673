"""Tidemark's trainer over a topic, as the parts run it that compare two settings of it; and how a topic is filled."""

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


def warm() -> None:
    """Load what runs compiled models, so that no clock holds it: a process that trains on has it loaded, too."""
    from learners.compiled import ready  # noqa: PLC0415

    assert ready(300)


def tidemark(learner: str, bootstrap: str, topic: str, count: int, more: str = "") -> dict[str, Any]:
    """Train with snapshots, scores, baselines and proof, to the end; `more` follows the source in the configuration."""
    from stream.config import read_config  # noqa: PLC0415
    from stream.consumer import Options, consume  # noqa: PLC0415
    from stream.screen import LogScreen  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415
    from stream.trainer import Trainer  # noqa: PLC0415

    warm()
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
