"""One life of a trainer, in a process that can be killed anywhere: it writes into a shared byte what it is doing.

The real parts are wrapped, not replaced: what a mark surrounds is the code that runs in production.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from learners import Learner
from store import ModelStore
from stream.config import read_config
from stream.consumer import Options, consume
from stream.files import FileLog
from stream.screen import LogScreen
from stream.stop import Stop
from tests.world import spawner

STARTING, POLLING, LEARNING, SAVING, BETWEEN, ENDED = range(6)
NAMES = ("starting", "polling", "learning", "saving", "between", "ended")


def live(config: str, doing: Synchronized[int], options: Options) -> None:
    """Train, and mark what is being done. Runs in a child."""
    assert os.environ["PYTHONHASHSEED"] == "0"
    _mark(FileLog, "poll", POLLING, doing)
    _mark(Learner, "test_then_train", LEARNING, doing)
    _mark(ModelStore, "save", SAVING, doing)
    os.close(2)
    os.open(os.devnull, os.O_WRONLY)
    stop = Stop()
    stop.listen()
    path = Path(config)
    consume(read_config(path), options, stop, LogScreen("life"))
    doing.value = ENDED


def _mark(owner: type, name: str, what: int, doing: Synchronized[int]) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(real)
    def marked(*args: Any, **kwargs: Any) -> Any:
        if what == LEARNING or doing.value != STARTING:  # what comes before the first learned event is starting
            doing.value = what
        try:
            return real(*args, **kwargs)
        finally:
            if doing.value == what:
                doing.value = BETWEEN

    setattr(owner, name, marked)


def begin(config: Path, options: Options) -> tuple[Any, Synchronized[int]]:
    """Start a life; return its process and what it is doing."""
    doing: Synchronized[int] = spawner.Value("i", STARTING, lock=False)
    process = spawner.Process(target=live, args=(str(config), doing, options))
    process.start()
    return process, doing
