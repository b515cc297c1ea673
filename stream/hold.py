"""What a person is told where a breaker tripped: which events, why, how to go on, and who let it go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from store import ModelStore
from store.types import Version
from stream.breaker import Trip
from stream.errors import BreakerTripped
from stream.memory import HOLD, Memory
from stream.owner import WATCH_S, Vitals
from stream.stop import Stop

HOW_TO_GO_ON = (
    "mend the producer, or [schema] and [gate], then `tidemark resume`; or go back (`tidemark rollback`); or hold the "
    "events for good (`tidemark quarantine add`), and resume"
)


def brief(trip: Trip) -> str:
    """Say it in a few words.

    >>> brief(Trip("t", 0, 41, 200, 200, "not_json", 199))
    'the breaker tripped: 200 events in a row of t[0] are held'
    >>> brief(Trip("t", 0, 41, 500, 1000, "not_json", 499))
    'the breaker tripped: 500 of the last 1,000 events of t[0] are held'
    """
    events = "events in a row" if trip.held == trip.events else f"of the last {trip.events:,} events"
    return f"the breaker tripped: {trip.held:,} {events} of {trip.topic}[{trip.partition}] are held"


def why_held(store: ModelStore, trip: Trip) -> str:
    """Say it whole: with the most frequent reason, and the last event that was held for it."""
    example = store.held_last(trip.topic, trip.partition, trip.reason, offset_max=trip.offset)
    told = f": {example.detail:.300} (offset {example.offset})" if example else ""
    return f"{brief(trip)}, up to offset {trip.offset}; {trip.most:,} for {trip.reason}{told}"


def trip_of(version: Version) -> Trip | None:
    """Return why nothing may be read after a version, unless a person resumes it; None where all is well."""
    found = version.proof.details.get(HOLD)
    return None if found is None else Trip(**found)


def wait_in_hold(
    store: ModelStore, head: Version, memory: Memory, stop: Stop, beat: Callable[[Vitals], None], *, ends: bool
) -> None:
    """Wait where the breaker tripped, until a person resumes head, or stops us; `beat` tells that we live.

    Raises `BreakerTripped` where training `ends` by itself, and what `beat` raises: `HeadMoved`, `Fenced`.
    """
    why = why_held(store, memory.tripped) if memory.tripped else ""
    accounts = head.accounts
    vitals = Vitals("hold", head.version, accounts.read, accounts.learned, accounts.held, None, why)
    while memory.tripped and not stop.requested:
        resume = store.resumed(head.version)
        if resume is not None:
            memory.resume()
            vitals = replace(vitals, state="resumed", detail=f"by {resume.who}: {resume.why}")
        elif ends:
            raise BreakerTripped(why, HOW_TO_GO_ON)
        beat(vitals)
        if memory.tripped:
            time.sleep(WATCH_S)


def hold_of(store: ModelStore, version: Version) -> dict[str, Any] | None:
    """Return as plain values why nothing may be read after a version, and who let it go on all the same."""
    trip = trip_of(version)
    if trip is None:
        return None
    resume = store.resumed(version.version)
    by = None if resume is None else {"who": resume.who, "why": resume.why, "at": resume.at.isoformat()}
    return {"why": why_held(store, trip), "resumed": by}
