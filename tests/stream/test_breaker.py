"""The breaker and what the gate remembers: against plain loops over events, however they come in batches."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.breaker import Limits, cut
from stream.decode import Decoder
from stream.gate import Gate
from stream.log import EVENT, LABEL, Batch, Format, Span
from stream.memory import Memory
from stream.merge import merge
from stream.schema import FeatureField, LabelField, Schema
from stream.sieve import Sieve

SCHEMA = Schema((FeatureField("a", "number"),), LabelField("y", "truth"))
FORM = Format("json")
DECODER = Decoder(SCHEMA, FORM, bound=1e15)
IDS = Sieve([], FORM, name="id")
GOOD, BAD, ODD = '{"a": 1, "y": true}', "garbage", '{"a": "x", "y": true}'
KINDS = {GOOD: None, BAD: "not_json", ODD: "field_type"}


def span_of(partition: int, start: int, values: list[str]) -> Span:
    count = len(values)
    none: list[Any] = [None] * count
    return Span(
        partition, start, start + count, list(range(start, start + count)), [v.encode() for v in values], none, none
    )


def batches(streams: list[list[str]], sizes: list[int]) -> list[Batch]:
    """Cut streams of one partition each into batches of these sizes, in turn, all partitions in each."""
    found, at, turn = [], [0] * len(streams), 0
    while any(at[p] < len(stream) for p, stream in enumerate(streams)):
        spans = []
        for p, stream in enumerate(streams):
            size = sizes[turn % len(sizes)]
            turn += 1
            if values := stream[at[p] : at[p] + size]:
                spans.append(span_of(p, at[p], values))
                at[p] += len(values)
        if spans:
            found.append(Batch(tuple(spans)))
    return found


def naive_trip(order: list[tuple[int, int, str | None]], limits: Limits) -> tuple[int, int] | None:
    """Return where it must trip, by looking at all events of a partition again with each that is held."""
    past: dict[int, list[bool]] = {}
    for partition, offset, reason in order:
        flags = past.setdefault(partition, [])
        flags.append(reason is not None)
        if reason is None:
            continue
        last = flags[-limits.last :]
        row = flags[-limits.consecutive :]
        if len(row) == limits.consecutive and all(row):
            return partition, offset
        if len(flags) >= limits.last and sum(last) >= limits.held_max:
            return partition, offset
    return None


streams_of = st.lists(st.lists(st.sampled_from([GOOD, GOOD, BAD, ODD]), max_size=60), min_size=1, max_size=3)
limits_of = st.builds(Limits, st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
sizes_of = st.lists(st.integers(1, 25), min_size=1, max_size=4)


@settings(deadline=None, max_examples=300)
@given(streams_of, limits_of, sizes_of)
def test_it_trips_right_where_a_plain_loop_says(streams: list[list[str]], limits: Limits, sizes: list[int]) -> None:
    """With restores between any batches; nothing beyond is judged, and all up to there is, once."""
    read = batches(streams, sizes)
    order = [
        (span.partition, offset, KINDS[value.decode()])
        for batch in read
        for span in batch.spans
        for offset, value in zip(span.offsets, span.values, strict=True)
    ]
    expected = naive_trip(order, limits)
    beside: dict[str, Any] = {}
    judged: list[tuple[int, int, str | None]] = []
    tripped = None
    for batch in read:
        gate = Gate("t", DECODER, memory=Memory(limits=limits))
        gate.memory.recall(beside)
        verdicts = gate.judge(batch)
        gate.memory.write(beside)
        accepted = {(partition, offset) for partition, offsets in verdicts.offsets for offset in offsets}
        held = {(each.partition, each.offset): each.reason for each in verdicts.held}
        assert not accepted & held.keys()
        for span in verdicts.batch.spans:
            assert span.stop == span.start + len(span)
            judged += [(span.partition, offset, held.get((span.partition, offset))) for offset in span.offsets]
        assert len(accepted) + len(held) == sum(map(len, verdicts.batch.spans))
        assert sum(len(offsets) for _, offsets in verdicts.offsets) == len(verdicts.xs) == len(verdicts.ys)
        if (tripped := gate.memory.tripped) is not None:
            break
    if expected is None:
        assert tripped is None
        assert judged == order
        return
    assert tripped is not None
    assert (tripped.partition, tripped.offset) == expected
    assert judged == order[: [place[:2] for place in order].index(expected) + 1]
    own = [reason for partition, _, reason in judged if partition == expected[0]]
    assert tripped.most == Counter(filter(None, own[-max(tripped.events, 1) :]))[tripped.reason]
    assert tripped.held == sum(reason is not None for reason in own[-tripped.events :])


@settings(deadline=None, max_examples=100)
@given(streams_of, limits_of, sizes_of, sizes_of)
def test_what_is_counted_does_not_follow_the_batches(
    streams: list[list[str]], limits: Limits, one: list[int], other: list[int]
) -> None:
    found = []
    for sizes in (one, other):
        gate = Gate("t", DECODER, memory=Memory(limits=limits))
        for batch in batches(streams[:1], sizes):
            gate.judge(batch)
            if gate.memory.tripped:
                break
        beside: dict[str, Any] = {}
        gate.memory.write(beside)
        found.append(beside)
    assert found[0] == found[1]


@pytest.mark.parametrize("reason", ["quarantined", "too_old", "learner_raised", "learner_tainted"])
def test_what_says_nothing_of_the_producer_does_not_count(reason: str) -> None:
    gate = Gate("t", DECODER, memory=Memory(limits=Limits(2, 4, 3)))
    gate.replay(Batch((span_of(0, 0, [GOOD] * 50),)), {("t", 0): dict.fromkeys(range(50), reason)})
    assert gate.memory.tripped is None
    gate.judge(Batch((span_of(0, 50, [BAD, BAD]),)))
    gate.replay(Batch((span_of(0, 52, [GOOD] * 9),)), {("t", 0): dict.fromkeys(range(52, 61), reason)})
    assert gate.memory.tripped is None
    gate.judge(Batch((span_of(0, 61, [BAD]),)))
    assert gate.memory.tripped is not None
    assert (gate.memory.tripped.offset, gate.memory.tripped.held) == (61, 3)


def test_a_resumed_breaker_counts_anew() -> None:
    gate = Gate("t", DECODER, memory=Memory(limits=Limits(2, 4, 3)))
    gate.judge(Batch((span_of(0, 0, [BAD] * 9),)))
    assert gate.memory.tripped is not None
    assert gate.memory.tripped.offset == 2
    gate.memory.resume()
    assert len(gate.judge(Batch((span_of(0, 3, [BAD, BAD, GOOD]),))).held) == 2
    assert gate.memory.tripped is None
    gate.judge(Batch((span_of(0, 6, [BAD] * 9),)))
    assert gate.memory.tripped is not None
    assert gate.memory.tripped.offset == 6


def test_what_is_learned_late_does_not_count() -> None:
    gate = Gate("t", DECODER, memory=Memory(limits=Limits(2, 4, 3)))
    assert len(gate.judge(Batch((span_of(0, 0, [BAD] * 9),), late=True)).held) == 9
    assert gate.memory.tripped is None


# -- two logs, merged


def timed(partition: int, times: list[int]) -> tuple[Span, list[int | None]]:
    return span_of(partition, 0, [GOOD] * len(times)), list(times)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.lists(st.integers(0, 30), max_size=8), min_size=1, max_size=3),
    st.lists(st.lists(st.integers(0, 30), max_size=8), min_size=1, max_size=2),
    st.data(),
)
def test_a_merged_batch_is_cut_after_any_record(
    events: list[list[int]], labels: list[list[int]], data: st.DataObject
) -> None:
    batch = merge(
        [timed(p, times) for p, times in enumerate(events)], [timed(p, times) for p, times in enumerate(labels)]
    )
    assert batch.merged is not None
    assume(batch.merged.order)
    last = data.draw(st.sampled_from(batch.merged.order))
    kept = cut(batch, last)
    assert kept.merged is not None

    def coordinates(of: Batch) -> list[tuple[int, int, int]]:
        assert of.merged is not None
        spans = {EVENT: of.spans, LABEL: of.labels}
        return [(kind, spans[kind][n].partition, spans[kind][n].offsets[place]) for kind, n, place in of.merged.order]

    count = batch.merged.order.index(last) + 1
    assert coordinates(kept) == coordinates(batch)[:count]
    assert len(kept) == count
    for kind, spans in ((EVENT, kept.spans), (LABEL, kept.labels)):
        for span in spans:
            whole = next(
                each for each in (batch.spans if kind == EVENT else batch.labels) if each.partition == span.partition
            )
            assert len(span) > 0
            assert (span.start, span.offsets) == (whole.start, whole.offsets[: len(span)])
            assert span.stop == (whole.stop if len(span) == len(whole) else whole.offsets[len(span)])


# -- ids


def gate_of(most: int, limits: Limits | None = None) -> Gate:
    return Gate("t", DECODER, memory=Memory(most, limits), sieve=IDS)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from([True, True, False])), max_size=60),
    st.integers(1, 8),
    sizes_of,
    st.sampled_from([None, Limits(3, 6, 3)]),
)
def test_duplicates_are_those_of_a_plain_loop(
    events: list[tuple[int, bool]], most: int, sizes: list[int], limits: Limits | None
) -> None:
    """Only ids of accepted events are remembered, the last so many; also where the breaker ends a batch early."""
    values = [json.dumps({"id": name, "a": 1 if good else "x", "y": True}) for name, good in events]
    remembered: list[str] = []
    expected: dict[int, str] = {}
    for offset, (name, good) in enumerate(events):
        if not good:
            expected[offset] = "field_type"
        elif str(name) in remembered[-most:]:
            expected[offset] = "duplicate_id"
        else:
            remembered.append(str(name))
    found: dict[int, str] = {}
    read = 0
    beside: dict[str, Any] = {}
    while read < len(values):
        for batch in batches([values[read:]], sizes):
            shifted = Batch(tuple(span_of(0, read, [v.decode() for v in span.values]) for span in batch.spans))
            gate = gate_of(most, limits)
            gate.memory.recall(beside)
            verdicts = gate.judge(shifted)
            found |= {each.offset: each.reason for each in verdicts.held}
            read = verdicts.batch.spans[-1].stop
            if gate.memory.tripped:
                gate.memory.resume()
                gate.memory.write(beside)
                break
            gate.memory.write(beside)
    assert found == expected
    gate = gate_of(most)
    gate.memory.recall(beside)
    assert gate.memory.seen is not None
    assert list(gate.memory.seen) == remembered[-most:]


def test_an_event_without_an_id_is_held_where_ids_are_remembered() -> None:
    values = [
        '{"a": 1, "y": true}',
        '{"a": 1, "y": true, "id": [1]}',
        '{"a": 1, "y": true, "id": "7"}',
        '{"a": 1, "y": true, "id": 7}',
    ]
    verdicts = gate_of(5).judge(Batch((span_of(0, 0, values),)))
    assert [(each.offset, each.reason) for each in verdicts.held] == [
        (0, "id_missing"),
        (1, "id_type"),
        (3, "duplicate_id"),
    ]
