"""Trainers that the guided tour starts as a person would, and watches from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from store import ModelStore, Store
from store.errors import StoreError
from store.types import Version
from stream.config import read_config
from stream.errors import StreamError

STEP_S_MAX = 120.0


def start(config: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a trainer that says nothing."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(_command(config, "train", *options), env=_environment(), stdout=quiet, stderr=quiet)  # noqa: S603 - ourselves


@contextmanager
def running(config: Path) -> Iterator[tuple[subprocess.Popen[bytes], ModelStore]]:
    """Give a trainer that follows its log, and its model; end it well."""
    trainer = start(config)
    try:
        with model_of(config, trainer) as model:
            yield trainer, model
            trainer.send_signal(signal.SIGTERM)
            trainer.wait()
    finally:
        if trainer.poll() is None:
            trainer.kill()
            trainer.wait()


def tell_and_run(out: Console, config: Path, *arguments: str) -> None:
    """Run a command as a person would type it, and show what it prints."""
    typed = " ".join(f'"{each}"' if " " in each else each for each in arguments)
    out.print(f"$ tidemark {typed}", highlight=False, markup=False, soft_wrap=True)
    done = subprocess.run(_command(config, *arguments), env=_environment(), check=False)  # noqa: S603 - ourselves
    if done.returncode:
        raise StreamError(f"expected `tidemark {arguments[0]}` to work, it ended with {done.returncode}", "see above")


def _command(config: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "stream.cli", *arguments, "-c", str(config)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": "0"}


@contextmanager
def model_of(config: Path, trainer: subprocess.Popen[bytes]) -> Iterator[ModelStore]:
    """Give the model, once the trainer has made it."""
    read = read_config(config)
    stores: list[Store] = []

    def exists() -> bool:
        try:
            stores.append(Store.open(read.store_url))
        except StoreError:
            return False
        return stores[-1].model(read.model.name).exists()

    try:
        wait(exists, trainer)
        yield stores[-1].model(read.model.name)
    finally:
        for store in stores:
            store.close()


def head_of(config: Path) -> Version:
    """Return the head version."""
    read = read_config(config)
    with Store.open(read.store_url) as store:
        return store.model(read.model.name).head()[0]


def watch(
    model: ModelStore, trainer: subprocess.Popen[bytes], total: int, enough: Callable[[int], bool] | None = None
) -> None:
    """Show progress until enough was read, or the trainer ended."""
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[score]}"),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("training", total=total, score="")
        deadline = time.monotonic() + STEP_S_MAX
        while time.monotonic() < deadline:
            ended = trainer.poll() is not None
            read = _read(model)
            score = model.head()[0].proof.scores["Accuracy"]["cumulative"]
            told = "" if score is None else f"Accuracy {score:.4f}"
            bar.update(task, completed=read, score=told)
            if ended or (enough is not None and enough(read)):
                return
            time.sleep(0.1)
    raise StreamError(f"expected the trainer to get on within {STEP_S_MAX:.0f} s", "see `tidemark runs` for its error")


def _read(model: ModelStore) -> int:
    """Return how many events of head's lineage were read, as far as the store and the heartbeat tell."""
    (head, _), beat = model.head(), model.heartbeat()
    return max(head.accounts.read, beat.read if beat is not None and beat.version == head.version else 0)


def wait(done: Callable[[], bool], trainer: subprocess.Popen[bytes]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + STEP_S_MAX
    while not done():
        if trainer.poll() not in (None, 0) or time.monotonic() > deadline:
            raise StreamError("expected the trainer to run, it does not", "see `tidemark runs` for its error")
        time.sleep(0.02)
