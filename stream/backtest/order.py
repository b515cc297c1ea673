"""The same events in another order. All events of the range are in memory for it, decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, get_args

from stream.backtest.noise import Place, hashes
from stream.errors import ConfigError
from stream.gate import NOTHING, Verdicts
from stream.log import EVENTS_PER_POLL_MAX, Batch, Span

Order = Literal["recorded", "time", "shuffle", "reversed"]


def read_order(text: str) -> Order:
    """Read the name of an order. Raises `ConfigError`."""
    if text not in get_args(Order):
        raise ConfigError(f"expected --order as one of {', '.join(get_args(Order))}; found {text!r}", "--order time")
    return text  # type: ignore[return-value]


def reorder(verdicts: Iterable[Verdicts], order: Order, seed: int) -> Iterator[Verdicts]:
    """Give out the same events in another order, in chunks; what was read and held comes with the first, without bytes.

    "time": by `moments`, equal ones as recorded. "shuffle": by what the seed and their places hash to. Where labels
    come later (there are `dues`), only "time" moves moments along with their events; else they stay, since time does
    not run backwards: the n-th event is asked at the n-th moment, and its label comes as long after as it did. Chunks
    have `moments` only with `dues`. Not where labels have a log of their own.
    """
    if order == "recorded":
        yield from verdicts
        return
    every, spans = Verdicts([], [], [], [], [], []), list[Span]()
    for part in verdicts:
        assert part.turns is None, "labels have no log of their own"
        for name in ("xs", "ys", "offsets", "held", "moments", "dues"):
            getattr(every, name).extend(getattr(part, name))
        spans += (Span(span.partition, span.start, span.stop, span.offsets, [], [], []) for span in part.batch.spans)
    places = every.places()
    ranks = _ranks(order, seed, places, every.moments)
    moments, dues = _times(order, ranks, every) if every.dues else ([], [])
    for start in range(0, max(1, len(ranks)), EVENTS_PER_POLL_MAX):
        now = ranks[start : start + EVENTS_PER_POLL_MAX]
        stop = start + len(now)
        yield Verdicts(
            [every.xs[i] for i in now],
            [every.ys[i] for i in now],
            [(p, [offset for _, offset in several]) for p, several in groupby([places[i] for i in now], itemgetter(0))],
            every.held if start == 0 else [],
            moments[start:stop],
            dues[start:stop],
            batch=Batch(tuple(spans)) if start == 0 else NOTHING,
        )


def _ranks(order: Order, seed: int, places: Sequence[Place], moments: Sequence[int]) -> list[int]:
    """Return where each event that comes next stood."""
    if order == "reversed":
        return list(range(len(places) - 1, -1, -1))
    keys: Sequence[Any] = moments
    if order == "shuffle":
        keys = hashes(seed, "order", places).tolist()
    assert len(keys) == len(places), "each event has a time"
    return sorted(range(len(places)), key=keys.__getitem__)


def _times(order: Order, ranks: Sequence[int], every: Verdicts) -> tuple[list[int], list[int | None]]:
    """Return when each event is asked and its label due, in the new order."""
    if order == "time":
        return [every.moments[i] for i in ranks], [every.dues[i] for i in ranks]
    waits = [None if due is None else due - every.moments[i] for i, due in enumerate(every.dues)]
    moved = (waits[i] for i in ranks)
    return every.moments, [None if wait is None else at + wait for at, wait in zip(every.moments, moved, strict=True)]
