"""Backtests: against the live loop, many candidates in one pass against many passes, two processes against one."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.alone import alone
from tests.benchmarks.runs import warm
from tests.benchmarks.told import told

CANDIDATES = 8
RATES = [0.001 * (number + 1) for number in range(CANDIDATES)]

TREES = {
    "trees, which are compiled": "tree.HoeffdingTreeClassifier(delta=1e-{})",
    "adaptive trees, which river runs": "tree.HoeffdingAdaptiveTreeClassifier(seed=1, delta=1e-{})",
}


def compare(name: str, learner: str, bootstrap: str, topic: str, count: int, every: int, pairs: int) -> None:
    """Train, and replay that by a backtest, each time in a process of its own; print the ratio of the loops.

    A version is saved after `every` so many events, and after five seconds.
    """
    found = [alone(train_and_replay, learner, bootstrap, topic, every) for _ in range(pairs)]
    print(f"\nBacktest of the live learner: {name}, {count:,} events from Kafka, a version every {every:,}")
    for who in ("train", "backtest"):
        print(f"  {who:<10} {told([count / each[who] for each in found], ',.0f')} events/s")
    print("  backtest to training (min, median, max; at least 1.2 is asked for)")
    for clock, key in (("elapsed", ""), ("processor", ", processor")):
        print(f"  ratio      {told([each[f'train{key}'] / each[f'backtest{key}'] for each in found], '.3f')} {clock}")


def share(bootstrap: str, topic: str, pairs: int) -> None:
    """Print what many linear candidates cost in one pass, against one by one."""
    found = [alone(many, bootstrap, topic) for _ in range(pairs)]
    print(f"\nBacktest of {CANDIDATES} linear candidates, from Kafka")
    for clock, key in (("elapsed", ""), ("processor", ", processor")):
        ratios = [each[f"one pass{key}"] / each[f"one by one{key}"] for each in found]
        print(f"  one pass to {CANDIDATES} passes  {told(ratios, '.3f')} {clock} (at most 0.75 is asked for)")


def split(name: str, bootstrap: str, topic: str, count: int, pairs: int) -> None:
    """Print how fast two processes are against one, of one kind of candidates."""
    found = [alone(in_two, TREES[name], bootstrap, topic) for _ in range(pairs)]
    print(f"\nBacktest of {CANDIDATES} {name}, {count:,} events from Kafka")
    ratios = [each["one process"] / each["two processes"] for each in found]
    print(f"  two processes to one   {told(ratios, '.3f')} elapsed, starting them included (at least 1.7 is asked for)")


class Clock:
    """Adds up the time of what is called."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same, timed."""

        def run(*arguments: Any, **more: Any) -> Any:
            began, busy = time.perf_counter(), time.process_time()
            done = work(*arguments, **more)
            for key, since, now in (("", began, time.perf_counter()), (", processor", busy, time.process_time())):
                self.took[name + key] = self.took.get(name + key, 0.0) + now - since
            return done

        return run


def _configure(folder: str, learner: str, bootstrap: str, topic: str, every: int = 20_000) -> Path:
    path = Path(folder) / "tidemark.toml"
    path.write_text(
        f"[model]\nname = 'm'\ntask = 'binary'\ntarget = 'class'\npositive = 'UP'\nlearner = '''{learner}'''\n"
        f"[source]\nlog = 'kafka://{bootstrap}/{topic}'\n[validation]\nmetrics = ['Accuracy']\n"
        f"[snapshots]\nevery_events = {every}\nevery = '5s'\n",
        encoding="utf-8",
    )
    return path


def train_and_replay(learner: str, bootstrap: str, topic: str, every: int) -> dict[str, Any]:
    """Train to the end, replay it; return the seconds of both loops."""
    from stream.backtest.journey import Journey  # noqa: PLC0415
    from stream.config import read_config  # noqa: PLC0415
    from stream.consumer import Options, consume  # noqa: PLC0415
    from stream.screen import LogScreen  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415
    from stream.trainer import Trainer  # noqa: PLC0415

    warm()
    clock = Clock()
    Trainer.train = clock.timed("train", Trainer.train)  # type: ignore[method-assign]
    Journey.go = clock.timed("backtest", Journey.go)  # type: ignore[method-assign]
    _be_quiet()
    with tempfile.TemporaryDirectory() as folder:
        path = _configure(folder, learner, bootstrap, topic, every)
        consume(read_config(path), Options(until_end=True), Stop(), LogScreen("m"))
        assert _backtest(path, ["live"], None).replays_live
    return clock.took


def many(bootstrap: str, topic: str) -> dict[str, Any]:
    """Carry out backtests of linear candidates: one by one, and all in one pass."""
    _be_quiet()
    warm()
    clock = Clock()
    texts = [f"preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD({lr}))" for lr in RATES]
    with tempfile.TemporaryDirectory() as folder:
        path = _configure(folder, texts[0], bootstrap, topic)
        one = clock.timed("one by one", _backtest)
        alone = [score for text in texts for score in _scores(one(path, [text], 1))]
        together = clock.timed("one pass", _backtest)(path, texts, 1)
    assert alone == _scores(together)
    return clock.took


def in_two(learner: str, bootstrap: str, topic: str) -> dict[str, Any]:
    """Carry out a backtest of trees that differ in `delta`, in one process and in two: starting one takes seconds."""
    _be_quiet()
    warm()
    clock = Clock()
    texts = [learner.format(number + 2) for number in range(CANDIDATES)]
    with tempfile.TemporaryDirectory() as folder:
        path = _configure(folder, texts[0], bootstrap, topic)
        together = clock.timed("one process", _backtest)(path, texts, 1)
        apart = clock.timed("two processes", _backtest)(path, texts, 2)
    assert _scores(together) == _scores(apart)
    return clock.took


def _backtest(path: Path, learners: Sequence[str], workers: int | None) -> Any:
    from stream.backtest.asked import Ask  # noqa: PLC0415
    from stream.commands.backtesting import carry_out, opened_anyway  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415

    with opened_anyway(path) as (config, model):
        return carry_out(config, model, Ask(learners=tuple(learners)), workers, Stop())[0]


def _scores(found: Any) -> list[float]:
    return [outcome.scores["Accuracy"]["cumulative"] for outcome in found.outcomes.values()]


def _be_quiet() -> None:
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
