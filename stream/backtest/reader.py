"""Who reads for others: it decodes and judges stretches of a course, and tells what it accepted, as bytes.

A process that does only this (`be`) loads nothing that learns: no river, no scipy, no database; no Kafka where it reads
files. So it begins within half a second. While the process that learns has nothing to do, that one is handed records
as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from learners.table import Column, Table
from store.entries import Entry
from stream import quick_json
from stream.backtest.parcels import Parcel, send, wrap
from stream.backtest.reading import Reading
from stream.backtest.spawned import begun
from stream.backtest.stretch import Course
from stream.backtest.whatif import WhatIf
from stream.collector import collecting_seldom
from stream.config import Config
from stream.feed import Feed
from stream.gate import Verdicts
from stream.log import Batch, Span
from stream.packed import Packed
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

    def bare(self) -> Errand:
        """Return it without versions, which may be many: a spawned process is waited for until it has been told all."""
        stretches = tuple(replace(stretch, version=None) for stretch in self.course.stretches)
        return replace(self, course=replace(self.course, stretches=stretches))


HUNGRY = 2
"""With fewer batches than that in its hands, the other process has soon nothing to do."""


def be(errand: Errand, pipe: Any, following: Any, taken: Any) -> None:
    """Be a spawned process that reads."""
    begun()
    be_copy(errand, pipe, following, taken)


@collecting_seldom()
def be_copy(errand: Errand, pipe: Any, following: Any, taken: Any) -> None:
    """Read for another process: from the stretch on that is the next one when it has begun.

    `taken` is how many batches the other process has taken. While it waits for more, it is given records as they are.
    """
    plain, given = _is_plain(errand), 0

    def hungry() -> bool:
        return plain and given < taken.value + HUNGRY

    with suppress(BrokenPipeError, ConnectionResetError):  # nobody waits for it
        for found in read_out(errand, lambda: _take_all(following), hungry):
            send(pipe, found)
            given += 1


def read_out(errand: Errand, first: Callable[[], int], hungry: Callable[[], bool] = lambda: False) -> Iterator[Parcel]:
    """Give out what is read from the stretch `first` on, for `Received`: batches, and the end of each stretch.

    What goes wrong is the last thing to be told. While somebody is `hungry`, records are given as they are.
    """
    try:
        quick_json.LIBRARY.ready()  # no model is compiled here, which would bring it along
        stretches = errand.course.stretches
        bare = _is_plain(errand)
        with closing(open_feed(errand.config, until_end=True, group=errand.group, bare=bare)) as feed:
            reading = _reading(errand, feed)
            for place in range(first(), len(stretches)):
                judge = reading.judge(stretches[place])
                for batch in reading.batches(stretches[place]):
                    yield wrap(_bare(batch) if hungry() else _packed(judge(batch)))
                yield wrap(None)
    except Exception as error:  # noqa: BLE001 - raised again by who learns
        yield wrap(error)


def _reading(errand: Errand, feed: Feed) -> Reading:
    """Return what reads: in columns, which are quick to make and to hand over; in batches as they are learned."""
    most = events_max(columns=errand.columns)
    return Reading(errand.course, feed, errand.config, errand.entries, WhatIf(), columns=True, most=most)


def _is_plain(errand: Errand) -> bool:
    """Tell whether nobody asks for more of a record than its bytes, and all are decoded into columns."""
    return errand.columns and not errand.entries[1]


def _take_all(following: Any) -> int:
    """Take all stretches that are not taken; return the first."""
    with following.get_lock():
        found: int = following.value
        following.value = TAKEN
    return found


def _bare(batch: Batch) -> Batch:
    """Return a batch with what is needed to judge it: values and offsets."""
    return replace(batch, spans=tuple(_reduced(span, _packed_values(span.values)) for span in batch.spans))


def _packed_values(values: Sequence[bytes]) -> Packed:
    return values if isinstance(values, Packed) else Packed.of(values)


def _reduced(span: Span, values: Sequence[bytes]) -> Span:
    """Return a span with these values, and nothing of its records but their offsets."""
    return Span(span.partition, span.start, span.stop, _short(span.offsets), values, [], [])


def _short(offsets: Sequence[int]) -> Sequence[int]:
    """Return offsets, which rise, as a range where none is missing."""
    dense = len(offsets) > 1 and offsets[-1] - offsets[0] + 1 == len(offsets)
    return range(offsets[0], offsets[-1] + 1) if dense else offsets


def _restored(span: Span) -> Span:
    """Return a reduced span as others expect it: what is not known of its records is None."""
    nothing = [None] * len(span.values)
    return replace(span, timestamps_ms=nothing, keys=nothing)


def _packed(verdicts: Verdicts) -> tuple[Any, ...]:
    """Return verdicts as plain values and arrays; of the records only where they stood."""
    table, ys = verdicts.xs, verdicts.ys
    spans = tuple(_reduced(span, ()) for span in verdicts.batch.spans)
    offsets = [(partition, _short(each)) for partition, each in verdicts.offsets]
    told = replace(verdicts, batch=Batch(spans), offsets=offsets, xs=[], ys=[])
    if isinstance(table, Table):
        xs: Any = (table.layout, table.numbers, table.others)
    else:
        xs = list(table)  # of no event
    return told, xs, ys.array if isinstance(ys, Column) else ys


def unpacked(found: Batch | tuple[Any, ...], *, rows: bool = False) -> Batch | Verdicts:
    """Return the batch, or the verdicts, that the other process packed; examples in `rows` if they are to be."""
    if isinstance(found, Batch):
        return replace(found, spans=tuple(map(_restored, found.spans)))
    told, xs, ys = found
    batch = Batch(tuple(map(_restored, told.batch.spans)))
    told = replace(told, batch=batch)
    table = Table(*xs) if isinstance(xs, tuple) else xs
    labels = ys if isinstance(ys, list) else Column(ys)
    whole: Verdicts = replace(told, xs=list(table) if rows else table, ys=list(labels) if rows else labels)
    return whole
