"""A million pending labels in a real run: memory, and how long the version with them is saved and restored."""

from __future__ import annotations

import json
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.alone import alone
from tests.benchmarks.events import synthetic
from tests.benchmarks.runs import LINEAR

KNOWN = 1_000
"""Events whose labels come at once, so that the model and the baselines have learned something."""


def measure(count: int) -> None:
    """Ask so many events before their labels come, in a process of its own; print what that takes."""
    with tempfile.TemporaryDirectory() as folder:
        asked = alone(ask, folder, count)
        restored = alone(restore, folder)
    assert restored["pending"] == count
    print(f"\n{count:,} pending labels: 8 numbers an event, probabilities, two baselines, linear model")
    print(f"  memory     {asked['before'] >> 20:,} MiB when first saved, then at most {asked['peak'] >> 20:,} MiB")
    print("             with the last version saved (resident; at most 1,024 MiB is asked for)")
    print(f"  save       {asked['seal']:.2f} s to seal, {asked['save']:.2f} s in all (at most 5 s is asked for)")
    print(f"  restore    {restored['seconds']:.2f} s, at most {restored['peak'] >> 20:,} MiB")


def ask(folder: str, count: int) -> dict[str, Any]:
    """Train on a file to its end, where all but a few labels are pending."""
    from learners import Learner  # noqa: PLC0415
    from stream.config import read_config  # noqa: PLC0415
    from stream.consumer import Options, consume  # noqa: PLC0415
    from stream.screen import LogScreen  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415
    from stream.trainer import Trainer  # noqa: PLC0415

    took = {"seal": 0.0, "save": 0.0}

    def timed(name: str, function: Any) -> Any:
        def run(*arguments: Any) -> Any:
            began = time.perf_counter()
            answer = function(*arguments)
            took[name] = time.perf_counter() - began
            took.setdefault("before", psutil.Process().memory_info().rss)
            return answer

        return run

    Learner.seal = timed("seal", Learner.seal)  # type: ignore[method-assign]
    Trainer._save = timed("save", Trainer._save)  # type: ignore[method-assign]
    source = random.Random(3)
    with (Path(folder) / "events.jsonl").open("wb") as out:
        for second in range(count + KNOWN):
            known = second if second < KNOWN else second + 10**8
            times = json.dumps({"at": second, "known_at": known}).encode()
            out.write(synthetic(source)[:-1] + b", " + times[1:] + b"\n")
    path = Path(folder) / "tidemark.toml"
    path.write_text(
        f"[model]\nname = 'm'\ntask = 'binary'\ntarget = 'class'\npositive = 'UP'\nlearner = '''{LINEAR}'''\n"
        "[source]\nlog = 'file:events.jsonl'\nmoment = 'at'\nignore = ['at']\n[labels]\nmoment = 'known_at'\n"
        f"pending_max = {count}\n[validation]\nmetrics = ['Accuracy', 'LogLoss']\n"
        "[snapshots]\nevery_events = 200000\nevery = '1h'\n",
        encoding="utf-8",
    )
    head = consume(read_config(path), Options(until_end=True), Stop(), LogScreen("pending"))
    assert head is not None
    assert head.accounts.pending == count
    return {**took, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}


def restore(folder: str) -> dict[str, Any]:
    """Restore the last version, as a trainer does that starts."""
    from learners import Learner  # noqa: PLC0415
    from store import Store  # noqa: PLC0415

    with Store.open(f"sqlite:///{folder}/tidemark.db") as store:
        model = store.model("m")
        version = model.head()[0]
        began = time.perf_counter()
        learner = Learner.restore(model.payload(version.version), version.proof.golden)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return {"seconds": seconds, "peak": peak, "pending": learner.pending}
