"""How far back the log reaches: from which version on head can be replayed, and whether that is enough.

What the log has lost can no longer be taken out of a model, so it is told while there is still time.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, Queue

from store import ModelStore
from store.types import Position, Version
from stream.config import Config
from stream.errors import LogMismatch, LogUnreachable, StreamError
from stream.feed import Feed
from stream.log import Ends
from stream.plan import plan, replayable_from, trained
from stream.report.told import duration
from stream.sources import open_feed

FEW = 3
"""So few versions are soon gone."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back. `lost`: how many versions of head's lineage lie before what can be replayed.

    `since` is the oldest version to replay from, None if there is none; `base` is where the rebuild that is due
    begins, None if none is due; `left`: how many versions later `base` is than `since`, or else head.
    """

    since: Version | None
    lost: int
    base: Version | None
    left: int

    @property
    def too_late(self) -> bool:
        """Whether a rebuild is due for which the log no longer has the events."""
        return self.base is not None and (self.since is None or self.base.version < self.since.version)

    @property
    def close(self) -> bool:
        """Whether it soon will be, or would be if anything were found now."""
        return self.lost > 0 and self.left < FEW

    def told(self, now: datetime) -> str:
        """Say it in words."""
        if self.since is None:
            return "no rebuild is possible: the log has lost events that head has not even read"
        ago = duration((now - self.since.created_at).total_seconds())
        lost = "has everything" if not self.lost else f"has lost events of {_versions(self.lost)} before"
        since = f"a rebuild is possible from version {self.since.version} ({ago} ago) on: the log {lost}"
        if self.base is None:
            return since
        late = ", which is too late" if self.too_late else f", {_versions(self.left)} later" if self.lost else ""
        return f"{since}; one is due from version {self.base.version}{late}"


def reach(store: ModelStore, earliest: Ends) -> Reach:
    """Return how far back the log reaches, given the first offsets that it still has."""
    since = replayable_from(store, earliest)
    line = [version.version for version in store.lineage(trained(store).version)]
    base = plan(store, *store.quarantine()).base
    lost = len(line) if since is None else line.index(since.version)
    until = line.index(base.version) if base is not None else len(line) - 1
    return Reach(since, lost, base, until - lost)


def earliest_within(config: Config, position: Position, seconds: float) -> Ends:
    """Return the first offsets that the logs still have. Raises `LogUnreachable` if that takes longer, or as `Log`."""
    answers: Queue[Ends | StreamError] = Queue()
    threading.Thread(target=lambda: _ask(config, position, answers), name="earliest", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise LogUnreachable(f"the log did not answer in {seconds:g} s", "is the broker running?") from None
    if isinstance(answer, StreamError):
        raise answer
    return answer


def _ask(config: Config, position: Position, answers: Queue[Ends | StreamError]) -> None:
    try:
        feed = open_feed(config, until_end=False, group=f"tidemark-{config.model.name}-status")
        answers.put(_earliest(feed, position))
        feed.close()
    except StreamError as failed:
        answers.put(failed)


def _earliest(feed: Feed, position: Position) -> Ends:
    for log in feed.logs:
        if log.topic not in position.topics or position.topics[log.topic].identity != log.identity:
            raise LogMismatch(f"expected the log that head was made from, found another {log.topic}", "tidemark doctor")
    return feed.earliest()


def _versions(count: int) -> str:
    return "1 version" if count == 1 else f"{count:,} versions"
