"""The gate: what may be learned, and what is held with its reason. Never an exception, never a loss.

Invariant: every event of a batch is either accepted or held, exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from store.types import HeldEvent
from stream.decode import Decoder
from stream.fields import Fault
from stream.log import Batch, Span

RAISED = "learner_raised"
"""The reason code of an event that the model raised on. Its state is restored, and the event held: no crash loop."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the gate said of a batch: examples as columns, in order, and the held events.

    `offsets` are (partition, offsets of its accepted events), in the batch's order. Where labels come later, `moments`
    and `dues` are when each is asked and its label due, in microseconds.
    """

    xs: list[dict[str, Any]]
    ys: list[Any]
    offsets: list[tuple[int, list[int]]]
    held: list[HeldEvent]
    moments: list[int]
    dues: list[int | None]

    def place(self, index: int) -> tuple[int, int]:
        """Return (partition, offset) of an example.

        >>> Verdicts([], [], [(0, [5, 7]), (1, [3])], [], [], []).place(2)
        (1, 3)
        """
        for partition, offsets in self.offsets:
            if index < len(offsets):
                return partition, offsets[index]
            index -= len(offsets)
        raise IndexError(index)


class Gate:
    """Judges batches of one topic."""

    def __init__(self, topic: str, decoder: Decoder) -> None:
        self._topic = topic
        self._decoder = decoder
        self._distrusted: dict[int, dict[int, Fault]] = {}

    def distrust(self, partition: int, offset: int, detail: str) -> None:
        """Hold this event from now on: the model raised on it."""
        self._distrusted.setdefault(partition, {})[offset] = Fault(RAISED, detail)

    def forget(self) -> None:
        """Trust again what the model raised on."""
        self._distrusted.clear()

    def judge(self, batch: Batch) -> Verdicts:
        """Decode a batch; hold what is faulty."""
        verdicts = Verdicts([], [], [], [], [], [])
        for span in batch.spans:
            self._judge_span(span, verdicts, self._distrusted.get(span.partition, {}))
        return verdicts

    def replay(self, batch: Batch, recorded: Mapping[tuple[int, int], str]) -> Verdicts:
        """Decode a batch again, holding what was held then: `recorded` maps (partition, offset) to the reason code.

        An event that is faulty today though it was not held then is held too: the caller sees one hold too many.
        """
        verdicts = Verdicts([], [], [], [], [], [])
        for span in batch.spans:
            here = {
                offset: Fault(reason, "as recorded")
                for (partition, offset), reason in recorded.items()
                if partition == span.partition
            }
            self._judge_span(span, verdicts, here)
        return verdicts

    def _judge_span(self, span: Span, verdicts: Verdicts, known: Mapping[int, Fault]) -> None:
        if known and (places := [place for place, offset in enumerate(span.offsets) if offset in known]):
            verdicts.held.extend(self._hold(span, place, known[span.offsets[place]]) for place in places)
            span = _without(span, places)
        decoded = self._decoder.decode(span.values, span.timestamps_ms)
        verdicts.xs.extend(decoded.xs)
        verdicts.ys.extend(decoded.ys)
        verdicts.moments.extend(asked for asked, _ in decoded.times)
        verdicts.dues.extend(due for _, due in decoded.times)
        accepted = span.offsets if decoded.places is None else [span.offsets[place] for place in decoded.places]
        verdicts.offsets.append((span.partition, accepted))
        verdicts.held.extend(self._hold(span, place, fault) for place, fault in decoded.faults)

    def _hold(self, span: Span, place: int, fault: Fault) -> HeldEvent:
        return HeldEvent(
            topic=self._topic,
            partition=span.partition,
            offset=span.offsets[place],
            kind="suspect" if fault.reason == RAISED else "malformed",
            reason=fault.reason,
            detail=fault.detail,
            raw=span.values[place],
            timestamp_ms=span.timestamps_ms[place],
        )


def _without(span: Span, places: Iterable[int]) -> Span:
    """Return the span without the events at these places."""
    gone = set(places)
    kept = [place for place in range(len(span)) if place not in gone]
    return Span(
        span.partition,
        span.start,
        span.stop,
        [span.offsets[place] for place in kept],
        [span.values[place] for place in kept],
        [span.timestamps_ms[place] for place in kept],
    )
