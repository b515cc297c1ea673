"""A guided tour on real flights: train, be killed, resume, roll back; each step as a person would do it.

1. The first flights of 2013 from New York become a file log; the label, whether one arrives over 15 minutes late, comes
   when it arrives.
2. A trainer learns them, and is killed with SIGKILL in the middle.
3. The next trainer resumes from the head version; an undisturbed run shows that nothing was lost or learned twice.
4. A running trainer is rolled back, and follows without a restart.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from store import ModelStore, Store
from store.errors import StoreError
from stream.commands import showing
from stream.commands.flights import flights
from stream.config import read_config
from stream.errors import ConfigError, StreamError

FLIGHTS = 60_000
STEP_S_MAX = 120.0
KILL_AFTER_S = 0.2  # somewhere after a version was saved, before the next
CONFIG = """\
# Predicts on departure whether a flight arrives over 15 minutes late.
[model]
name    = "flights"
task    = "binary"
target  = "late"
learner = '''
(compose.Select("dep_delay", "distance", "hour") | preprocessing.StandardScaler())
+ (compose.Select("carrier", "origin") | preprocessing.OneHotEncoder())
| linear_model.LogisticRegression(optimizer=optim.SGD(0.01))
'''

[source]
log    = "file:flights.jsonl"
moment = "departed_at"               # the question is asked when a flight departs,
id     = "id"
ignore = ["departed_at"]

[labels]
moment  = "arrived_at"               # and the answer known when it arrives, hours later
timeout = "2d"                       # diverted flights never do

[validation]
metrics = ["Accuracy", "F1", "ROCAUC"]
window  = 2500
slices  = ["carrier", "origin"]

[snapshots]
every_events = 5000

[store]
url = "sqlite:///{store}.db"
"""


def demo(folder: Path) -> None:
    """Give the tour; what it made stays in `folder`."""
    out = Console()
    began = time.monotonic()
    config = _prepare(folder, out)
    _kill_in_the_middle(config, out)
    _resume(config, out)
    _roll_back(config, out)
    out.rule("versions and scores")
    showing.log(config, as_json=False)
    out.print()
    showing.scores(config, "head", form="table")
    out.print(
        f"\nDone in {time.monotonic() - began:.0f} s. Go on yourself:\n"
        f"  cd {folder}\n  tidemark log\n  tidemark show head\n  tidemark verify head\n  tidemark report"
    )


def _prepare(folder: Path, out: Console) -> Path:
    """Write the log and two configurations: one model to disturb, one to compare with."""
    if folder.exists() and not (folder / "tidemark.toml").exists() and any(folder.iterdir()):
        raise ConfigError(f"expected {folder} to be empty or an older demo, found other files", "name another --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    out.rule("1. a log of labeled events")
    with (folder / "flights.jsonl").open("wb") as log:
        for event in flights(FLIGHTS):
            log.write(msgspec.json.encode(event) + b"\n")
    (folder / "tidemark.toml").write_text(CONFIG.format(store="tidemark"), encoding="utf-8")
    (folder / "undisturbed.toml").write_text(CONFIG.format(store="undisturbed"), encoding="utf-8")
    out.print(f"{FLIGHTS:,} flights of 2013 in {folder}/flights.jsonl, the model in {folder}/tidemark.toml")
    return folder / "tidemark.toml"


def _kill_in_the_middle(config: Path, out: Console) -> None:
    out.rule("2. train, and be killed in the middle")
    out.print("$ tidemark train --until-end")
    trainer = _start(config, "--until-end")
    with _model(config, trainer) as model:
        _watch(model, trainer, lambda read: read > FLIGHTS * 0.4)
        time.sleep(KILL_AFTER_S)
        trainer.send_signal(signal.SIGKILL)
        trainer.wait()
        head = model.head()[0]
        out.print(
            f"[red]killed[/] (SIGKILL); saved was version {head.version} with {head.accounts.learned:,} flights, "
            "what was read since will be read again"
        )


def _resume(config: Path, out: Console) -> None:
    out.rule("3. resume: nothing lost, nothing learned twice")
    out.print("$ tidemark train --until-end")
    trainer = _start(config, "--until-end")
    with _model(config, trainer) as model:
        _watch(model, trainer, lambda _: False)
        disturbed = model.head()[0]
    undisturbed = config.with_name("undisturbed.toml")
    other = _start(undisturbed, "--until-end")
    with _model(undisturbed, other) as model:
        _watch(model, other, lambda _: False)
        whole = model.head()[0]
    accounts = disturbed.accounts
    equal = (accounts, disturbed.proof.scores) == (whole.accounts, whole.proof.scores)
    out.print(
        f"read {accounts.read:,} = learned {accounts.learned:,} + held {accounts.held:,} + still in the air "
        f"{accounts.pending:,} + never arrived {accounts.expired:,}"
    )
    out.print(f"killed and resumed: {_scores(disturbed.proof.scores)}")
    out.print(f"never disturbed:    {_scores(whole.proof.scores)}")
    if not equal:
        raise StreamError(
            "expected the resumed run to equal the undisturbed one, found a difference", "please report it"
        )
    out.print("[green]equal, bit for bit[/]")


def _scores(scores: object) -> str:
    assert isinstance(scores, dict)
    return "  ".join(f"{name} {score['cumulative'] or score['window']!r}" for name, score in scores.items())


def _roll_back(config: Path, out: Console) -> None:
    out.rule("4. roll a running trainer back")
    trainer = _start(config)
    try:
        with _model(config, trainer) as model:
            _wait(lambda: (b := model.heartbeat()) is not None and b.state == "idle", trainer)
            target = model.versions()[len(model.versions()) // 2]
            out.print(f"$ tidemark rollback {target.version} --rewind --reason 'the sensor lied'")
            model.move("head", target.version, kind="rewind", who="demo", why="the sensor lied")
            asked = time.monotonic()
            _wait(lambda: (b := model.heartbeat()) is not None and b.read < FLIGHTS, trainer)
            out.print(f"the trainer followed within {time.monotonic() - asked:.1f} s, without a restart")
            _watch(model, trainer, lambda read: read >= FLIGHTS)
            trainer.send_signal(signal.SIGTERM)
            trainer.wait()
            head = model.head()[0]
            out.print(f"it read again from version {target.version} on, and was stopped at version {head.version}")
    finally:
        _end(trainer)


def _start(config: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stream.cli", "train", "-c", str(config), *options]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)  # noqa: S603 - ourselves


def _end(trainer: subprocess.Popen[bytes]) -> None:
    if trainer.poll() is None:
        trainer.kill()
        trainer.wait()


@contextmanager
def _model(config: Path, trainer: subprocess.Popen[bytes]) -> Iterator[ModelStore]:
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
        _wait(exists, trainer)
        yield stores[-1].model(read.model.name)
    finally:
        for store in stores:
            store.close()


def _watch(model: ModelStore, trainer: subprocess.Popen[bytes], enough: Callable[[int], bool]) -> None:
    """Show progress until enough was read, or the trainer ended."""
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[score]}"),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("training", total=FLIGHTS, score="")
        deadline = time.monotonic() + STEP_S_MAX
        while time.monotonic() < deadline:
            ended = trainer.poll() is not None
            read = _read(model)
            score = model.head()[0].proof.scores["Accuracy"]["cumulative"]
            told = "" if score is None else f"Accuracy {score:.4f}"
            bar.update(task, completed=read, score=told)
            if ended or enough(read):
                return
            time.sleep(0.05)
    raise StreamError(f"expected the trainer to get on within {STEP_S_MAX:.0f} s", "see `tidemark runs` for its error")


def _read(model: ModelStore) -> int:
    """Return how many events of head's lineage were read, as far as the store and the heartbeat tell."""
    (head, _), beat = model.head(), model.heartbeat()
    return max(head.accounts.read, beat.read if beat is not None and beat.version == head.version else 0)


def _wait(done: Callable[[], bool], trainer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STEP_S_MAX
    while not done():
        if trainer.poll() not in (None, 0) or time.monotonic() > deadline:
            raise StreamError("expected the trainer to run, it does not", "see `tidemark runs` for its error")
        time.sleep(0.02)
