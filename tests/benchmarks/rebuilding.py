"""A rebuild against the training that it does again: events a second of both, over the same events of one topic."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.alone import alone
from tests.benchmarks.runs import warm
from tests.benchmarks.told import told

PARTS = 200
"""One event in so many is quarantined."""


def compare(name: str, learner: str, bootstrap: str, topic: str, count: int, every: int, pairs: int) -> None:
    """Train and rebuild, each time in a process of its own, and print events a second and the ratio.

    A version is saved after `every` so many events, and after five seconds.
    """
    found = [alone(train_and_rebuild, learner, bootstrap, topic, count, every) for _ in range(pairs)]
    print(f"\nRebuild without one event in {PARTS}: {name}, {count:,} events from Kafka, a version every {every:,}")
    for who in ("train", "rebuild"):
        print(f"  {who:<10} {told([count / each[who] for each in found], ',.0f')} events/s")
    print("  rebuild to training (min, median, max; at least 0.9 is asked for)")
    for clock, key in (("elapsed", ""), ("processor", ", processor")):
        print(f"  ratio      {told([each[f'train{key}'] / each[f'rebuild{key}'] for each in found], '.3f')} {clock}")


def train_and_rebuild(learner: str, bootstrap: str, topic: str, count: int, every: int) -> dict[str, Any]:
    """Train to the end, quarantine some events from the first on, rebuild all; return the seconds of both loops."""
    from stream.commands.quarantining import add  # noqa: PLC0415
    from stream.commands.rebuilding import Wishes, rebuild  # noqa: PLC0415
    from stream.config import read_config  # noqa: PLC0415
    from stream.consumer import Options, consume  # noqa: PLC0415
    from stream.rebuild import Rebuilder  # noqa: PLC0415
    from stream.screen import LogScreen  # noqa: PLC0415
    from stream.selector import read_selector  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415
    from stream.trainer import Trainer  # noqa: PLC0415

    warm()
    took = dict.fromkeys(("train", "train, processor", "rebuild", "rebuild, processor"), 0.0)

    def timed(name: str, work: Any) -> Any:
        def run(*arguments: Any) -> Any:
            began, busy = time.perf_counter(), time.process_time()
            done = work(*arguments)
            took[name] += time.perf_counter() - began
            took[f"{name}, processor"] += time.process_time() - busy
            return done

        return run

    Trainer.train = timed("train", Trainer.train)  # type: ignore[method-assign]
    Rebuilder.rebuild = timed("rebuild", Rebuilder.rebuild)  # type: ignore[method-assign]
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tidemark.toml"
        path.write_text(
            f"[model]\nname = 'm'\ntask = 'binary'\ntarget = 'class'\npositive = 'UP'\nlearner = '''{learner}'''\n"
            f"[source]\nlog = 'kafka://{bootstrap}/{topic}'\n[validation]\nmetrics = ['Accuracy']\n"
            f"[snapshots]\nevery_events = {every}\nevery = '5s'\n",
            encoding="utf-8",
        )
        head = consume(read_config(path), Options(until_end=True), Stop(), LogScreen("bench"))
        some = read_selector(offsets=[f"0:{offset}" for offset in range(0, count, PARTS)])
        add(path, some, labels=False, confirmed=True, dry_run=False, reason="bench", as_json=True)
        assert rebuild(path, Wishes(reason="bench"), as_json=True)
    assert head is not None
    assert head.accounts.learned == count, head.accounts
    return took
