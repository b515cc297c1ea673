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
from stream.collector import collecting_seldom
from stream.config import Config
from stream.feed import Feed
from stream.gate import Verdicts
from stream.log import Batch
from stream.schedule import events_max
from stream.sources import open_feed

TAKEN = -1
"""What follows the last stretch that the other process takes, once this one takes all others."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be read, as plain values. `columns`: it is learned in columns; else what was read is put into rows."""

    config: Config
    course: Course
    entries: tuple[int, Sequence[Entry]]
    group: str
    columns: bool = True


@collecting_seldom()
def be(pipe: Any, following: Any) -> None:
    """Be the process that reads: from the stretch on that is the next one when it has begun."""
    begun()
    try:
        errand: Errand = pipe.recv()
        quick_json.LIBRARY.ready()  # no model is compiled here, which would bring it along
        stretches = errand.course.stretches
        with closing(open_feed(errand.config, until_end=True, group=errand.group)) as feed:
            reading = _reading(errand, feed)
            for place in range(_take_all(following), len(stretches)):
                for verdicts in reading.stretch(stretches[place]):
                    _send(pipe, _packed(verdicts))
                _send(pipe, None)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody waits for it
    except Exception as error:  # noqa: BLE001 - the boundary of the process: raised again in the other one
        _send(pipe, error)


def _reading(errand: Errand, feed: Feed) -> Reading:
    """Return what reads: in columns, which are quick to make and to hand over; in batches as they are learned."""
    most = events_max(columns=errand.columns)
    return Reading(errand.course, feed, errand.config, errand.entries, WhatIf(), columns=True, most=most)


def _take_all(following: Any) -> int:
    """Take all stretches that are not taken; return the first."""
    with following.get_lock():
        found: int = following.value
        following.value = TAKEN
    return found


def _send(pipe: Any, what: Any) -> None:
    pipe.send_bytes(pickle.dumps(what, protocol=5))


def _packed(verdicts: Verdicts) -> tuple[Any, ...]:
    """Return verdicts as plain values and arrays; of the records only where they stood."""
    table, ys = verdicts.xs, verdicts.ys
    spans = (replace(span, values=[], timestamps_ms=[], keys=[]) for span in verdicts.batch.spans)
    told = replace(verdicts, batch=Batch(tuple(spans)), xs=[], ys=[])
    if isinstance(table, Table):
        xs: Any = (table.layout, table.numbers, table.others)
    else:
        xs = list(table)  # of no event
    return told, xs, ys.array if isinstance(ys, Column) else ys


def unpacked(found: tuple[Any, ...], *, rows: bool = False) -> Verdicts:
    """Return the verdicts that the other process packed, their examples in `rows` if they are to be."""
    told, xs, ys = found
    table = Table(*xs) if isinstance(xs, tuple) else xs
    labels = ys if isinstance(ys, list) else Column(ys)
    whole: Verdicts = replace(told, xs=list(table) if rows else table, ys=list(labels) if rows else labels)
    return whole
