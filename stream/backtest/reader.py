"""The process that reads ahead: it takes stretches of a course, decodes and judges them, and tells what it accepted.

It learns nothing, and loads nothing of that: no river, no scipy, no database; no Kafka where it reads files. So it
begins within half a second.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from learners.table import Column, Table
from store.entries import Entry
from stream import quick_json
from stream.backtest.reading import Reading
from stream.backtest.spawned import begun
from stream.backtest.stretch import Course
from stream.backtest.whatif import WhatIf
from stream.config import Config
from stream.gate import Verdicts
from stream.log import Batch
from stream.sources import open_feed


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be read, as plain values."""

    config: Config
    course: Course
    entries: tuple[int, Sequence[Entry]]
    group: str


def be(pipe: Any, following: Any) -> None:
    """Be the process that reads."""
    begun()
    try:
        errand: Errand = pipe.recv()
        quick_json.LIBRARY.ready()  # no model is compiled here, which would bring it along
        with closing(open_feed(errand.config, until_end=True, group=errand.group)) as feed:
            reading = Reading(errand.course, feed, errand.config, errand.entries, WhatIf(), columns=True)
            stretches = errand.course.stretches
            while (place := take(following)) < len(stretches):
                for verdicts in reading.stretch(stretches[place]):
                    _send(pipe, _packed(verdicts))
                _send(pipe, None)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody waits for it
    except Exception as error:  # noqa: BLE001 - the boundary of the process: raised again in the other one
        _send(pipe, error)


def take(following: Any, place: int | None = None) -> int:
    """Take a stretch, the next or the one at a place, unless that is taken; return the next that was not."""
    with following.get_lock():
        found: int = following.value
        if place is None or found == place:
            following.value += 1
        return found


def _send(pipe: Any, what: Any) -> None:
    pipe.send_bytes(pickle.dumps(what, protocol=5))


def _packed(verdicts: Verdicts) -> tuple[Any, ...]:
    """Return verdicts as plain values and arrays; of the records only where they stood."""
    table, ys = verdicts.xs, verdicts.ys
    told = replace(bare(verdicts), xs=[], ys=[])
    if isinstance(table, Table):
        xs: Any = (table.layout, table.numbers, table.others)
    else:
        xs = list(table)  # of no event
    return told, xs, ys.array if isinstance(ys, Column) else ys


def bare(verdicts: Verdicts) -> Verdicts:
    """Return verdicts without the bytes of the records."""
    spans = (replace(span, values=[], timestamps_ms=[], keys=[]) for span in verdicts.batch.spans)
    return replace(verdicts, batch=Batch(tuple(spans)))


def unpacked(found: tuple[Any, ...]) -> Verdicts:
    """Return the verdicts that the other process packed."""
    told, xs, ys = found
    whole: Verdicts = replace(
        told, xs=Table(*xs) if isinstance(xs, tuple) else xs, ys=ys if isinstance(ys, list) else Column(ys)
    )
    return whole
