"""The process that proves what was written down: what it makes is what is made here, and nothing is lost with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import pytest

from learners import Learner, read_recipe
from learners.table import Column, Layout, Table
from learners.written import Written
from stream.forked import CAN_FORK, Lost
from stream.scribe import Scribe
from tests.world import until

pytestmark = [
    pytest.mark.skipif(not CAN_FORK, reason="forks are for Linux"),
    pytest.mark.usefixtures("compiled_code"),
]

LAYOUT = Layout(("depth", "_mean"), ("depth", "_mean"))
"""Features that are named as what river's objects keep: in a pickle they are one string."""


def written_of(learner: Learner, seed: int) -> Written:
    table = Table(LAYOUT, np.random.default_rng(seed).normal(size=(900, 2)), {})
    truths = table.numbers.sum(axis=1) > 0.0
    binary = learner.recipe.task == "binary"
    ys = Column(truths) if binary else ["mean" if truth else "above" for truth in truths.tolist()]
    learner.test_then_train(table, ys)
    assert learner.lends
    return learner.write()


def made(text: str = "tree.HoeffdingTreeClassifier(50, tau=0.3)", task: Any = "binary", **making: Any) -> Learner:
    metrics = ["Accuracy", *(["LogLoss", "ROCAUC"] if task == "binary" else ["MacroF1"])]
    return Learner.new(read_recipe(text, task), features=LAYOUT.features, metrics=metrics, window=70, **making)


@pytest.fixture
def scribe() -> Iterator[Scribe]:
    scribe = Scribe.begin(within_s=5.0)
    yield scribe
    scribe.end()
    assert not psutil.pid_exists(scribe.pid)


@pytest.mark.parametrize("steps", ["", "preprocessing.StandardScaler() | "])
@pytest.mark.parametrize(("task", "more"), [("binary", {}), ("multiclass", {"fading": 0.9, "slices": ["depth"]})])
def test_what_it_proves_is_what_is_proved_here(scribe: Scribe, steps: str, task: str, more: dict[str, Any]) -> None:
    """To the last byte, and what is learned meanwhile makes no difference."""
    learner = made(f"{steps}tree.HoeffdingTreeClassifier(50, tau=0.3)", task, **more)
    kept = [written_of(learner, seed) for seed in range(3)]
    for written in kept:
        assert scribe.proved(written) == written.proved()
    assert len(kept[-1].proved().state) > len(kept[0].proved().state)


def test_what_raises_is_told_and_it_goes_on(scribe: Scribe) -> None:
    written = written_of(made(), 1)
    with pytest.raises(Lost, match="it raised StateError") as lost:
        scribe.proved(replace(written, captured=replace(written.captured, parts=b"no parts")))
    assert lost.value.raised
    assert scribe.proved(written) == written.proved()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("more", [0, 5_000_000])
def test_one_that_dies_or_hangs_is_lost(number: signal.Signals, more: int) -> None:
    """Whether it was to read what it is sent, or to answer."""
    scribe = Scribe.begin(within_s=0.3)
    written = written_of(made(), 1)
    os.kill(scribe.pid, number)
    began = time.monotonic()
    with pytest.raises(Lost) as lost:
        scribe.proved(replace(written, digest="a" * more))
    assert not lost.value.raised
    assert time.monotonic() - began < 5.0
    scribe.end()
    assert not psutil.pid_exists(scribe.pid)


class Slow:
    """Takes long to be read."""

    def __reduce__(self) -> Any:
        return time.sleep, (600,)


def test_it_kills_itself_when_its_time_is_up() -> None:
    """Whoever waits for it, or no longer does."""
    scribe = Scribe.begin(within_s=0.2)
    scribe._connection.send_bytes(replace(written_of(made(), 1), digest=Slow()).sent())  # type: ignore[arg-type]
    _, status = os.waitpid(scribe.pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGALRM


def test_it_ends_when_nobody_can_send_to_it(scribe: Scribe) -> None:
    os.kill(scribe.pid, signal.SIGINT)  # as a terminal does
    other = Scribe.begin()
    written = written_of(made(), 1)
    assert other.proved(written) == scribe.proved(written)
    scribe._connection.close()
    until(lambda: psutil.Process(scribe.pid).status() == psutil.STATUS_ZOMBIE)
    assert other.proved(written) == written.proved()
    other.end()
