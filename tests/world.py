"""A folder with a configuration, a log and a store, and the real command line on it."""

from __future__ import annotations

import csv
import gzip
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store import ModelStore, Store

ELEC2 = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"

spawner = multiprocessing.get_context("forkserver")
spawner.set_forkserver_preload(["tests.preloaded"])
"""Commands are forked from a process that has imported all there is: what they do is the same, a second sooner."""


@dataclass(frozen=True)
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


class Command:
    """`tidemark …` as a process of its own, in a folder."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self._files = [Path(tempfile.mkstemp(prefix="tidemark-test-")[1]) for _ in range(2)]
        self._process = spawner.Process(target=_command, args=(str(folder), list(arguments), self._files))
        self._process.start()
        STARTED.append(self)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> Done:
        """Wait for the end; kill and fail after the deadline. May be called again."""
        self._process.join(seconds)
        if self.returncode is None:
            self._process.kill()
            self._process.join()
            raise AssertionError(f"did not end within {seconds} s: {self._read()}")
        return self._read()

    def finish(self) -> None:
        """End it, if it still runs, and remove what it printed."""
        self.signal(signal.SIGKILL)
        self._process.join()
        self._process.close()
        for file in self._files:
            file.unlink(missing_ok=True)

    def _read(self) -> Done:
        return Done(*(file.read_text(encoding="utf-8") for file in self._files))


def _command(folder: str, arguments: list[str], files: list[Path]) -> None:
    """Be the command. Runs in the forked process."""
    for number, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_TRUNC), number)
    os.chdir(folder)
    sys.argv = ["tidemark", *arguments]
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the process's own
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    from stream.cli import main  # noqa: PLC0415 - in the child, as the command does

    try:
        main()
    finally:
        sys.stdout.flush()


OPENED: list[Store] = []
STARTED: list[Command] = []
"""What a test opened and started; closed and ended after it."""


def clean_up() -> None:
    """End what the test left running, close what it left open."""
    while STARTED:
        STARTED.pop().finish()
    while OPENED:
        OPENED.pop().close()


@dataclass
class World:
    """One model in one folder."""

    folder: Path
    name: str = "m"

    def configure(
        self,
        *,
        log: str,
        learner: str = ELEC2,
        task: str = "binary",
        target: str = "y",
        more: str = "",
        model: str = "",
        store: str = "sqlite:///tidemark.db",
    ) -> Path:
        """Write tidemark.toml."""
        text = (
            f"[model]\nname = {self.name!r}\ntask = {task!r}\ntarget = {target!r}\nlearner = '''{learner}'''\n{model}\n"
            f"[source]\nlog = {log!r}\n{more}\n[store]\nurl = {store!r}\n"
        )
        path = self.folder / "tidemark.toml"
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def config(self) -> Path:
        return self.folder / "tidemark.toml"

    def write_events(self, name: str, events: Iterable[Mapping[str, Any] | bytes]) -> Path:
        """Write a JSON-lines file (folders are made)."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            for event in events:
                out.write((event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n")
        return path

    def start(self, *arguments: str) -> Command:
        """Start `tidemark …` in the background."""
        return Command(self.folder, arguments)

    def run(self, *arguments: str, code: int = 0) -> Done:
        """Run `tidemark …`, and expect its exit code."""
        command = self.start(*arguments)
        done = command.wait(300)
        assert command.returncode == code, f"tidemark {' '.join(arguments)}: {command.returncode}\n{done}"
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command that reports, and read its JSON."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def train(self, *options: str) -> Any:
        """Train to the end, and return what it told."""
        return self.json("train", "--until-end", *options)

    def open(self, url: str | None = None) -> ModelStore:
        """Open the store from here, until the test ends."""
        store = Store.open(url or f"sqlite:///{self.folder / 'tidemark.db'}")
        OPENED.append(store)
        return store.model(self.name)


def until(done: Callable[[], Any], *, seconds: float = 30.0, process: Command | None = None) -> Any:
    """Wait until something is so; fail after the deadline, or when the process ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := done():
            return found
        if process is not None and process.returncode is not None:
            raise AssertionError(f"ended with {process.returncode}: {process.wait(1)}")
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


def end(process: Command, *, number: int = signal.SIGTERM) -> Done:
    """Signal a process that we started, and wait for its end."""
    process.signal(number)
    return process.wait(60)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
