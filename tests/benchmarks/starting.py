"""How long a trainer takes from the start of its process to the first event that it has learned, and `--help`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import measured
from tests.benchmarks.alone import alone
from tests.benchmarks.contestants import engine_setting
from tests.benchmarks.cores import Cores
from tests.benchmarks.events import events_of
from tests.benchmarks.machine import machine
from tests.benchmarks.pauses import ARF, LADEN, LADEN_KILOBYTES, laden, percentile
from tests.benchmarks.results import Section
from tests.benchmarks.runs import LINEAR

BEFORE = {"linear model": (LINEAR, 10_000), "ARF with 10 trees": (ARF, 10_000), "13 MB of state": (LADEN, 2_000)}
"""Each with the events that it has learned before."""

WATCHED = """
import os, sys, time

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "stream.trainer":
            sys.meta_path.remove(self)
            from stream.gate import Verdicts
            teach, out = Verdicts.teach, [int(os.environ["TELL_FIRST"])]
            def watched(*arguments):
                teach(*arguments)
                if out:
                    os.write(out.pop(), repr(time.time()).encode())
            Verdicts.teach = watched

sys.meta_path.insert(0, Finder())
from stream.cli import main
main()
"""
"""The command line; tells through a pipe when the first events were learned. What it imports is its own."""


def measure(rounds: int) -> Section:
    """Return the section of results: seconds of every start, each with one event to learn; the first is not counted."""
    cores, found = Cores.of_machine(), machine()
    os.environ["PYTHONHASHSEED"] = "0"  # as commands that learn have it: versions are of one environment
    starts = [
        {"learner": name, **started(learner, before, rounds, cores)} for name, (learner, before) in BEFORE.items()
    ]
    helped = [_elapsed(["-m", "stream.cli", "--help"]) for _ in range(rounds + 1)][1:]
    bare = [_elapsed(["-c", ""]) for _ in range(rounds + 1)][1:]
    return {**found, "starts": starts, "help_s": _told(helped), "python_s": _told(bare)}


def started(learner: str, before: int, rounds: int, cores: Cores) -> dict[str, Any]:
    """Train before, then start anew again and again; return the seconds to the first event, and the bytes of state."""
    events = events_of(1)[0]
    with tempfile.TemporaryDirectory() as folder:
        laden(folder, LADEN_KILOBYTES)
        log = Path(folder) / "events.jsonl"
        log.write_bytes(b"".join(event + b"\n" for event in events[:before]))
        size = alone(_trained, folder, learner, str(log), cores=cores.every)["bytes"]
        found = []
        for event in events[before : before + rounds + 1]:
            with log.open("ab") as out:
                out.write(event + b"\n")
            found.append(_start(folder))
    told = {"bytes": size, "first_event_s": _told(found[1:])}
    print(learner, told, file=sys.stderr)
    return told


def _trained(folder: str, learner: str, log: str) -> dict[str, Any]:
    from store import Store  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    head = measured.train(Path(folder), learner, f"file:{log}", engine_setting("auto"), "every = '1h'")
    with Store.open(f"sqlite:///{folder}/tidemark.db") as store:
        return {"bytes": len(store.model("m").payload(head.version))}


def _start(folder: str) -> float:
    """Return the seconds from the start of a trainer to its first event."""
    ours, its = os.pipe()
    began = time.time()
    command = [sys.executable, "-c", WATCHED, "train", "--config", f"{folder}/tidemark.toml", "--until-end"]
    env = {**_here(), "TELL_FIRST": str(its)}
    done = subprocess.run(command, pass_fds=[its], capture_output=True, check=False, cwd=folder, env=env)
    os.close(its)
    with os.fdopen(ours, "rb") as answer:
        told = answer.read()
    assert done.returncode == 0, done.stderr.decode()
    return float(told) - began


def _elapsed(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=_here())
    return time.perf_counter() - began


def _here() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def _told(seconds: list[float]) -> list[float]:
    """Return least, median and most."""
    return [percentile(seconds, share) for share in (1, 50, 100)]
