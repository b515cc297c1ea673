"""The gate: what may be learned, and what is held with its reason. Never an exception, never a loss.

Invariant: every event of a batch is either accepted or held, exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import learners
from learners.joined import Turn
from learners.table import Layout
from store.types import HeldEvent
from stream.breaker import cut
from stream.columns import layout_of
from stream.config import Config
from stream.decode import Decoder
from stream.decoded import Decoded, joined
from stream.feed import Feed
from stream.fields import Fault
from stream.held import Keeping
from stream.labels import LabelDecoder
from stream.log import EVENT_BYTES_MAX, LABEL, Batch, Merged, Span
from stream.memory import Memory
from stream.quarantine import Quarantine
from stream.schema import Schema
from stream.sieve import Sieve, known_already, open_sieve
from stream.tables import BOUND_MAX, GateTable
from stream.times import TIME_AHEAD

_AHEAD = Fault(TIME_AHEAD, "expected no time so far ahead of now; see gate.ahead")

Recorded = Mapping[tuple[str, int], Mapping[int, str]]
"""The reasons of what was held: (topic, partition) to offset to reason."""

Known = Mapping[tuple[str, int], Mapping[int, Fault]]
"""What is to be held whatever is in it: (topic, partition) to offset to why."""

NOTHING = Batch(())


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the gate said of a batch: examples in order, as rows (lists) or in columns, and the held events.

    `offsets` are (partition, offsets of its accepted events), in the batch's order. Where labels come later, `moments`
    and `dues` are when each is asked and its label due, in microseconds. Where labels have a log of their own, `turns`
    are both in the order of their times; `layout` is theirs in columns. `batch` was judged, up to a breaker that trips.
    """

    xs: Sequence[dict[str, Any]]
    ys: Sequence[Any]
    offsets: list[tuple[int, Sequence[int]]]
    held: list[HeldEvent]
    moments: list[int]
    dues: list[int | None]
    turns: list[Turn] | None = None
    batch: Batch = NOTHING
    layout: Layout | None = None

    def teach(self, learner: learners.Learner) -> None:
        """Let a learner learn what was accepted. Raises `LearnFailed`."""
        if self.turns is not None:
            learner.take_turns(self.turns, self.layout)
        else:
            learner.test_then_train(self.xs, self.ys, self.moments, self.dues)

    def places(self) -> list[tuple[int, int]]:
        """Return (partition, offset) of each example, in order.

        >>> Verdicts([], [], [(0, [5, 7]), (1, [3])], [], [], []).places()
        [(0, 5), (0, 7), (1, 3)]
        """
        return [(partition, offset) for partition, offsets in self.offsets for offset in offsets]


class Gate:
    """Judges batches of one topic of events, and of the topic of their labels if they have one."""

    def __init__(
        self,
        topic: str,
        decoder: Decoder,
        labels: LabelDecoder | None = None,
        keeping: Keeping | None = None,
        memory: Memory | None = None,
        sieve: Sieve | None = None,
        layout: Layout | None = None,
    ) -> None:
        self._topic = topic
        self._decoder = decoder
        self._labels = labels
        self._hold = (keeping or Keeping()).hold
        self._sieve = sieve
        self._layout = layout
        self._distrusted: dict[int, dict[int, Fault]] = {}
        self.memory = memory or Memory()
        self.quarantine: Quarantine | None = None

    def distrust(self, partition: int, offset: int, fault: Fault) -> None:
        """Hold this event from now on: it ruins the model."""
        self._distrusted.setdefault(partition, {})[offset] = fault

    def forget(self) -> None:
        """Trust again what ruined the model."""
        self._distrusted.clear()

    @property
    def revision(self) -> int:
        """The revision of the quarantine that it judges by."""
        return 0 if self.quarantine is None else self.quarantine.revision

    def judge(self, batch: Batch, recorded: Recorded | None = None) -> Verdicts:
        """Decode a batch; hold what is faulty, and what is quarantined. Ends where the breaker trips.

        `recorded` is what was held when it was read before, of what cannot be judged again: see `replay`.
        """
        known = _as_recorded(recorded or {})
        for partition, faults in self._distrusted.items():
            known[self._topic, partition] = {**known.get((self._topic, partition), {}), **faults}
        if self.quarantine is not None:
            topics = (self._topic, self._labels.topic if self._labels else "")
            for topic, spans in zip(topics, (batch.spans, batch.labels), strict=True):
                for span in spans:
                    if faults := self.quarantine.faults(topic, span):
                        known[topic, span.partition] = {**known.get((topic, span.partition), {}), **faults}
        return self._count(self._judge(batch, known, anew=True))

    def replay(self, batch: Batch, recorded: Recorded) -> Verdicts:
        """Decode a batch again, holding what was held then: `recorded` maps (topic, partition), offset to the reason.

        An event that is faulty today though it was not held then is held too: the caller sees one hold too many.
        """
        return self._count(self._judge(batch, _as_recorded(recorded), anew=False))

    def hold(self, batch: Batch, partition: int, offset: int, fault: Fault) -> HeldEvent:
        """Return an event of a batch as held."""
        span = next(span for span in batch.spans if span.partition == partition and offset in span.offsets)
        return self._hold(self._topic, span, [(span.offsets.index(offset), fault)])[0]

    def _count(self, verdicts: Verdicts) -> Verdicts:
        """Count what was held; where the breaker trips within the batch, judge again what comes up to there.

        What is learned late was read before, and does not count.
        """
        if verdicts.batch.late:
            return verdicts
        held: dict[tuple[str, int], dict[int, HeldEvent]] = {}
        for each in verdicts.held:
            held.setdefault((each.topic, each.partition), {})[each.offset] = each
        topics = (self._topic, self._labels.topic if self._labels else "")
        place = self.memory.count(topics, verdicts.batch, held)
        if place is None:
            return verdicts
        known = {key: {at: Fault(each.reason, each.detail) for at, each in of.items()} for key, of in held.items()}
        return self._count(self._judge(cut(verdicts.batch, place), known, anew=False))

    def _judge(self, batch: Batch, known: Known, *, anew: bool) -> Verdicts:
        """Judge a batch; `anew`, else all that is not held already was accepted once."""
        self.memory.mark()
        if batch.merged is not None:
            return self._judge_merged(batch, batch.merged, known, anew=anew)
        verdicts = Verdicts([], [], [], [], [], [], batch=batch)
        parts = [
            self._judge_span(span, verdicts, known.get((self._topic, span.partition), {}), anew=anew)
            for span in batch.spans
        ] or [self._decoder.decode([])]
        return replace(verdicts, xs=joined([part.xs for part in parts]), ys=joined([part.ys for part in parts]))

    def _judge_merged(self, batch: Batch, merged: Merged, known: Known, *, anew: bool) -> Verdicts:
        """Judge a batch of events and labels, and put what is accepted in the order of its turns."""
        assert self._labels is not None, "a merged batch has labels"
        xs: list[dict[str, Any]] = []
        verdicts = Verdicts(xs, [], [], [], [], [], [], batch, self._layout)
        assert verdicts.turns is not None
        for kind, number, place in merged.ahead:
            topic, spans = (self._labels.topic, batch.labels) if kind == LABEL else (self._topic, batch.spans)
            here = (topic, spans[number].partition)
            known = {**known, here: {spans[number].offsets[place]: _AHEAD, **known.get(here, {})}}
        asked = [
            self._ask_turns(span, verdicts, known.get((self._topic, span.partition), {}), anew=anew)
            for span in batch.spans
        ]
        told = [
            self._label_turns(span, verdicts, known.get((self._labels.topic, span.partition), {}))
            for span in batch.labels
        ]
        self._recognize_merged(batch, merged, asked, verdicts, anew=anew)
        for kind, number, place in merged.order:
            turn = (told if kind == LABEL else asked)[number][place]
            if turn is None:
                continue
            verdicts.turns.append(turn)
            if turn.x is not None:
                span = batch.spans[number]
                verdicts.offsets.append((span.partition, [span.offsets[place]]))
                xs.append(turn.x)
        return verdicts

    def _recognize_merged(
        self, batch: Batch, merged: Merged, asked: list[list[Turn | None]], verdicts: Verdicts, *, anew: bool
    ) -> None:
        """Hold events of a batch whose id was met before, in the order of their times; remember the others."""
        if self.memory.seen is None:
            return
        events = [
            (number, place, turn.id)
            for kind, number, place in merged.order
            if kind != LABEL and (turn := asked[number][place]) is not None
        ]
        known = self.memory.seen.meet([name for _, _, name in events])
        for number, place, name in (events[each] for each in known if anew):
            asked[number][place] = None
            verdicts.held.extend(self._hold(self._topic, batch.spans[number], [(place, known_already(name))]))

    def _ask_turns(
        self, span: Span, verdicts: Verdicts, known: Mapping[int, Fault], *, anew: bool
    ) -> list[Turn | None]:
        """Return the turn of each event of a span, None for those that are held."""
        left, decoded = self._sift(span, verdicts, known, anew=anew)
        offsets = left.offsets if decoded.places is None else [left.offsets[place] for place in decoded.places]
        examples = zip((asked for asked, _ in decoded.times), decoded.ids, decoded.xs, strict=True)
        verdicts.held.extend(self._hold(self._topic, left, decoded.faults))
        accepted = {offset: Turn(*example) for offset, example in zip(offsets, examples, strict=True)}
        return [accepted.get(offset) for offset in span.offsets]

    def _label_turns(self, span: Span, verdicts: Verdicts, known: Mapping[int, Fault]) -> list[Turn | None]:
        """Return the turn of each label of a span, None for those that are held."""
        assert self._labels is not None, "asked where there are labels"
        turns: list[Turn | None] = []
        for place, found in enumerate(self._labels.decode(span.values, span.timestamps_ms)):
            fault = known.get(span.offsets[place]) or (found if isinstance(found, Fault) else None)
            if fault is not None:
                verdicts.held.extend(self._hold(self._labels.topic, span, [(place, fault)]))
            turns.append(None if fault is not None or isinstance(found, Fault) else found)
        return turns

    def _judge_span(self, span: Span, verdicts: Verdicts, known: Mapping[int, Fault], *, anew: bool) -> Decoded:
        """Judge a span of a log that has its labels with it; return its examples."""
        span, decoded = self._sift(span, verdicts, known, anew=anew)
        if self.memory.seen is not None:
            met = self.memory.seen.meet(decoded.ids)
            if anew and met:
                decoded = decoded.without({index: known_already(decoded.ids[index]) for index in met})
        verdicts.moments.extend([asked for asked, _ in decoded.times])
        verdicts.dues.extend([due for _, due in decoded.times])
        accepted = span.offsets if decoded.places is None else [span.offsets[place] for place in decoded.places]
        verdicts.offsets.append((span.partition, accepted))
        verdicts.held.extend(self._hold(self._topic, span, decoded.faults))
        return decoded

    def _sift(self, span: Span, verdicts: Verdicts, known: Mapping[int, Fault], *, anew: bool) -> tuple[Span, Decoded]:
        """Hold what is known to be held; return the rest of the span, decoded, and put through the rules."""
        if known and (places := span.places(known)):
            faults = [(place, known[span.offsets[place]]) for place in places]
            verdicts.held.extend(self._hold(self._topic, span, faults))
            span = span.without(places)
        decoded = self._decoder.decode(span.values, span.timestamps_ms)
        return span, decoded if self._sieve is None else self._sieve.sift(span, decoded, anew=anew)


def open_gate(
    feed: Feed,
    config: Config,
    schema: Schema,
    *,
    live: bool,
    then: GateTable | None = None,
    breaker: bool = False,
    columns: bool = False,
) -> Gate:
    """Return the gate of a feed. For replay (not `live`) it lets all pass that any gate could have let pass.

    It remembers by the settings of `then`, else by today's. Where history is not judged anew it has a `breaker`; only
    where events come in, with both, are they judged by their age. With `columns` examples are in columns, unless labels
    have a log of their own: there, each takes its turn.
    """
    gate, its, labels = config.gate, feed.labels, None
    bound, bytes_max = (gate.bound, gate.bytes_max) if live else (BOUND_MAX, EVENT_BYTES_MAX)
    if its is not None:
        labels = LabelDecoder(its.topic, config, schema.label, its.format, bound=bound, bytes_max=bytes_max)
    decoder = Decoder(
        schema,
        feed.events.format,
        bound=bound,
        ahead=gate.ahead if live and feed.labels is None else None,  # a merged feed has looked at it
        bytes_max=bytes_max,
        owners=config.owners,
        columns=columns and feed.labels is None,
    )
    memory = Memory.of(then or gate, breaker=breaker)
    sieve = open_sieve(config, feed.events.format, schema, live=live, aged=breaker, ids=memory.seen is not None)
    layout = layout_of(schema.features) if columns and feed.labels is not None else None
    return Gate(feed.events.topic, decoder, labels, Keeping(gate.raw), memory, sieve, layout)


def _as_recorded(recorded: Recorded) -> dict[tuple[str, int], Mapping[int, Fault]]:
    then = "as recorded"
    return {place: {at: Fault(reason, then) for at, reason in each.items()} for place, each in recorded.items()}
