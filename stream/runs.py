"""A run: one execution of a command, kept with its configuration and outcome, also when it failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from store import ModelStore
from store.running import Outcome
from stream.config import Config
from stream.environment import commit_of, environment
from stream.owner import Process


@dataclass(slots=True)
class OpenRun:
    """A run under way: what is put into `result` is kept with its outcome."""

    store: ModelStore
    run: int
    process: Process
    result: dict[str, Any] = field(default_factory=dict)

    def note(self, **known: Any) -> None:
        """Write what is known before it ends."""
        self.result |= known
        self.store.note_run(self.run, self.result)


@contextmanager
def recorded(store: ModelStore, config: Config, command: str, *, commit: bool = False) -> Iterator[OpenRun]:
    """Record a run: "done" when the block ends, "failed" with its error when it raises, "lost" if it never ends.

    Runs of this host whose process is gone are marked lost first. With `commit`, the git commit of the configuration's
    folder is in the result, if there is one: also of a run that is lost.
    """
    process = Process.this()
    known = {"commit": found} if commit and (found := commit_of(config.base)) else {}
    store.mark_lost(host=process.host, now=datetime.now(UTC))
    run = OpenRun(
        store,
        store.start_run(
            command=command,
            config_hash=config.hash,
            config=config.public(),
            environment=environment(),
            host=process.host,
            pid=process.pid,
            pid_started=process.started,
            now=datetime.now(UTC),
            result=known,
        ),
        process,
        dict(known),
    )
    try:
        yield run
    except BaseException as error:
        outcome: Outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        store.end_run(
            run.run, outcome=outcome, error=f"{type(error).__name__}: {error}", result=run.result, now=datetime.now(UTC)
        )
        raise
    store.end_run(run.run, outcome="done", error=None, result=run.result, now=datetime.now(UTC))


def engine_of(store: ModelStore, run: int | None) -> str | None:
    """Return who runs the model in a run, "compiled" or "river" and why; None if it did not say so."""
    return next((record.result.get("engine") for record in store.runs() if record.run == run), None)
