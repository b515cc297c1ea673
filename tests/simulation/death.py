"""A command that dies at a chosen moment: at the n-th statement that it sends to the store within a method of it."""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from store import ModelStore
from tests.world import spawner


def dies(folder: Path, arguments: tuple[str, ...], method: str, statement: int, *, call: int = 0) -> bool:
    """Run `tidemark …`, and let it die by SIGKILL in that call of a method of the store, before that statement.

    A commit is a statement, too; after the last one it dies when the method has returned. False if it lived, since
    the method was not called so often.
    """
    process = spawner.Process(target=_command, args=(str(folder), list(arguments), method, statement, call))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "did not end"
    return bool(process.exitcode == -signal.SIGKILL)


def _command(folder: str, arguments: list[str], method: str, statement: int, call: int) -> None:
    """Be the command. Runs in a child."""
    from stream.cli import main  # noqa: PLC0415 - in the child, as the command does

    real, left, calls = getattr(ModelStore, method), [-1], iter(range(1_000_000))

    @functools.wraps(real)
    def deadly(*args: Any, **kwargs: Any) -> Any:
        if next(calls) != call:
            return real(*args, **kwargs)
        left[0] = statement
        try:
            return real(*args, **kwargs)
        finally:
            _die()

    def step(*_args: Any) -> None:
        if left[0] == 0:
            _die()
        left[0] -= 1

    setattr(ModelStore, method, deadly)
    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    os.chdir(folder)
    sys.argv = ["tidemark", *arguments]
    with Path(os.devnull).open("w", encoding="utf-8") as sys.stdout:
        sys.stderr = sys.stdout
        main()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
