"""A linear model that knows when it is written down in a forked process, and then does as a file tells it: once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from river import linear_model, optim, preprocessing

TRAINER = os.getpid()
ORDER, FORKS = Path("order"), Path("forks")
"""In the trainer's folder: what the next fork is to do (one of those below), and the process ids of all forks."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise RuntimeError("told to")


def wait() -> None:
    """Wait until the file "go" is there."""
    while not Path("go").exists():
        time.sleep(0.005)


ORDERS = {"die": die, "fail": fail, "wait": wait}


class Watched(linear_model.LogisticRegression):
    """Is what it is, and watched."""

    def __getstate__(self) -> Any:
        if os.getpid() != TRAINER:
            with FORKS.open("a", encoding="utf-8") as told:
                told.write(f"{os.getpid()}\n")
            if ORDER.exists():
                order = ORDERS[ORDER.read_text(encoding="utf-8")]
                ORDER.unlink()
                order()
        return super().__getstate__()


def watched() -> Any:
    return preprocessing.StandardScaler() | Watched(optimizer=optim.SGD(0.05))
