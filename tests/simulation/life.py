"""One life of a trainer, in a process that can be killed anywhere: it writes into a shared byte what it is doing.

The real parts are wrapped, not replaced: what a mark surrounds is the code that runs in production.
"""

from __future__ import annotations

import functools
import os
import random
import time
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
    _mark(Learner, "take_turns", LEARNING, doing)
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


def kill_often(config: Path, times: int, *, seed: int, within_s: float) -> None:
    """Begin lives that train to the end of the log, and kill each within so many seconds of its first learned event.

    At least one of them must die before it came to the end.
    """
    source, died = random.Random(seed), 0
    for _ in range(times):
        process, doing = begin(config, Options(until_end=True))
        while doing.value == STARTING and process.is_alive():
            time.sleep(0.0005)
        process.join(source.uniform(0, within_s))
        process.kill()
        process.join()
        died += doing.value != ENDED
    assert died, "every life came to its end: too slow to kill"
