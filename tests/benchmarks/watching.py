"""Watches a trainer in this process: when it began to learn, when it ended, and how long it paused between batches."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

from stream.feed import Feed
from stream.trainer import Trainer


class Watch:
    """From the first batch that is learned to the end of training; a pause is what lies between two batches.

    A pause lasts from a batch learned to the next asked for: saving, or handing over what is to be saved, is in it, and
    so is whatever else the trainer does there, as looking whether head moved. What is done aside while a batch is read
    and learned is not: it takes from the loop at most `stream.aside.TURN_S` at a time, and all of it is in how fast
    training is with versions against without (`pauses.cost`). So are the pages that are copied after a fork.
    """

    def __init__(self) -> None:
        self.saves = 0
        self.saves_max: int | None = None
        self._pauses: list[tuple[int, float, float]] = []
        self._began = self._busy = 0.0
        self._seconds = self._cpu_seconds = 0.0
        self._learned_at: tuple[float, float] | None = None
        train, learn, save, poll = Trainer.train, Trainer._test_then_train, Trainer._save, Feed.poll

        def watched_train(trainer: Trainer) -> Any:
            head = train(trainer)
            self._seconds += time.perf_counter() - self._began
            self._cpu_seconds += time.process_time() - self._busy
            return head

        def watched_learn(trainer: Trainer, *arguments: Any) -> Any:
            if not self._began:
                self._began, self._busy = time.perf_counter(), time.process_time()
            found = learn(trainer, *arguments)
            if self.saves_max is not None and self.saves > self.saves_max:
                trainer.stop.requested = True
            self._learned_at = time.perf_counter(), time.thread_time()
            return found

        def watched_save(trainer: Trainer, *arguments: Any, **more: Any) -> Any:
            self.saves += 1
            return save(trainer, *arguments, **more)

        def watched_poll(feed: Feed, *arguments: Any) -> Any:
            if self._learned_at is not None:
                at, busy_at = self._learned_at
                self._pauses.append((self.saves, time.perf_counter() - at, time.thread_time() - busy_at))
                self._learned_at = None
            return poll(feed, *arguments)

        trainer_class: Any = Trainer
        trainer_class.train = watched_train
        trainer_class._test_then_train = watched_learn
        trainer_class._save = watched_save
        feed_class: Any = Feed
        feed_class.poll = watched_poll

    def longest(self) -> tuple[list[float], list[float]]:
        """Return the longest pause from each save to the next, in seconds: it is saved there, or handed over and taken.

        Without the first save after a start, which is always in line. Then the same of the loop's own processor time in
        them, which other programs and threads do not lengthen.
        """
        found: dict[int, tuple[float, float]] = {}
        for save, pause, busy in self._pauses:
            if save > 1:
                longest, busiest = found.get(save, (0.0, 0.0))
                found[save] = max(pause, longest), max(busy, busiest)
        return [pause for pause, _ in found.values()], [busy for _, busy in found.values()]

    def forget(self) -> None:
        """Begin anew."""
        self.saves, self._pauses, self._learned_at = 0, [], None
        self._began = self._busy = self._seconds = self._cpu_seconds = 0.0

    def told(self) -> dict[str, Any]:
        """Return what was found, for JSON; memory in bytes."""
        return {"seconds": self._seconds, "cpu_seconds": self._cpu_seconds, "peak": peak()}


def peak() -> int:
    """Return the most memory that this process had resident, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would begin with that of the process that started this one
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
