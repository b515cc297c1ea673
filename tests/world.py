"""A folder with a configuration, a log and a store, and the real command line on it."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store import ModelStore, Store

ELEC2 = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"


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

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `tidemark …` in the background."""
        return subprocess.Popen(
            [sys.executable, "-m", "stream.cli", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `tidemark …`, and expect its exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"tidemark {' '.join(arguments)}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command that reports, and read its JSON."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def train(self, *options: str) -> Any:
        """Train to the end, and return what it told."""
        return self.json("train", "--until-end", *options)

    def open(self) -> tuple[Store, ModelStore]:
        """Open the store from here."""
        store = Store.open(f"sqlite:///{self.folder / 'tidemark.db'}")
        return store, store.model(self.name)


def until(done: Callable[[], Any], *, seconds: float = 30.0, process: subprocess.Popen[str] | None = None) -> Any:
    """Wait until something is so; fail after the deadline, or when the process ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := done():
            return found
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {process.communicate()}")
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


def end(process: subprocess.Popen[str], *, number: int = signal.SIGTERM) -> tuple[str, str]:
    """Signal a process that we started, and wait for its end."""
    if process.poll() is None:
        process.send_signal(number)
    return process.communicate(timeout=60)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
