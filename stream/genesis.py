"""The first version of a model: the schema is settled and pinned, and saved before anything is learned."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from learners import LabelPolicy, Learner, Making, Recipe, Weights
from store.types import Accounts, NewVersion, Position, Proof, Segment, TopicPosition
from stream.config import Config
from stream.decode import Decoder, csv_cells, json_object
from stream.decoded import Decoded
from stream.environment import environment
from stream.errors import ConfigError
from stream.feed import Feed
from stream.fields import FieldFault, LabelReader
from stream.log import EVENTS_PER_POLL_MAX, POLL_S_MAX, Format, Log, Span, within
from stream.schema import EVENTS_TO_INFER, LabelField, Schema, infer, infer_label, present
from stream.stop import Stop
from stream.tables import ModelTable, ValidationTable

EVENTS_TO_SETTLE_MAX = 100_000
"""So many events are read at most to find EVENTS_TO_INFER that can be read at all."""

IDLE_S = 10.0
"""A live log that brings nothing new for so long is taken to have shown what it has."""


def start_of(feed: Feed, config: Config) -> Position:
    """Return the position for a model without versions, as the configuration says."""
    starts = [config.source.start, config.labels.start if config.labels else "earliest"]
    return Position({log.topic: log.start(start) for log, start in zip(feed.logs, starts, strict=False)})


def settle_schema(
    feed: Feed, config: Config, start: Position, stop: Stop, *, until_end: bool, tell: Callable[[int], None]
) -> Schema | None:
    """Read the first events, learn nothing, and return the schema; None if stopped, or if the log has no event.

    Reads until EVENTS_TO_INFER events can be read, fewer at the end of the log; with a declared schema only until one
    has the target. Raises `ConfigError` if none has it, or if all would be held.
    """
    log = feed.events
    first = _FirstEvents(log, config, None if feed.labels is None else _first_labels(feed.labels, config, start))
    _read_first(first, start.topics[log.topic], stop, until_end=until_end, tell=tell)
    if stop.requested or not first.events:
        return None
    if not first.objects:
        raise ConfigError(
            f"expected events that can be read as {log.format.kind.upper()}, found none among the first "
            f"{len(first.events):,}",
            "check [source] log: is it the right topic or file?",
        )
    schema = first.schema()
    _refuse_if_all_held(first, schema)
    return schema


def _first_labels(log: Log, config: Config, start: Position) -> LabelField:
    """Return how labels are read, by the first records that their log has now: it may have none yet."""
    _, target, _ = config.label_fields
    records: list[bytes] = []
    ends, at = log.end(), start.topics[log.topic]
    log.seek(at)
    next_offsets = {partition: cursor.next_offset for partition, cursor in at.cursors.items()}
    while len(records) < EVENTS_TO_INFER and not all(next_offsets.get(p, 0) >= end for p, end in ends.items()):
        for span in within(log.poll(POLL_S_MAX), ends).spans:
            records.extend(span.values)
            next_offsets[span.partition] = span.stop
    objects = [fields for record in records if (fields := fields_of(log.format, record)) is not None]
    named = [{config.model.target: fields[target]} if target in fields else fields for fields in objects]
    return infer_label(config, named, text=log.format.kind == "csv")


def fields_of(form: Format, record: bytes) -> Mapping[str, Any] | None:
    """Return the fields of a record; None for what cannot be read."""
    try:
        return json_object(record) if form.kind == "json" else csv_cells(record.decode(), form.columns)
    except (FieldFault, UnicodeDecodeError):
        return None


@dataclass(slots=True)
class _FirstEvents:
    """The first events of a log: as they are, and those that can be read as fields. `label`: how labels are read."""

    log: Log
    config: Config
    label: LabelField | None
    events: list[bytes] = field(default_factory=list)
    stamps: list[int | None] = field(default_factory=list)
    objects: list[Mapping[str, Any]] = field(default_factory=list)

    def extend(self, span: Span) -> None:
        """Take in a span."""
        self.events.extend(span.values)
        self.stamps.extend(span.timestamps_ms)
        read = (fields_of(self.log.format, event) for event in span.values)
        self.objects.extend(value for value in read if value is not None)

    def schema(self) -> Schema:
        """Return the schema that they have, or that is declared. Raises `ConfigError`."""
        form = self.log.format
        return infer(self.config, self.objects, text=form.kind == "csv", columns=form.columns, labels=self.label)

    @property
    def enough(self) -> bool:
        """Whether the schema can be settled: garbage does not count, but is not waited out for ever."""
        if len(self.objects) >= EVENTS_TO_INFER or len(self.events) >= EVENTS_TO_SETTLE_MAX:
            return True
        declared = bool(self.config.fields.keys() - {"unknown"}) and self.config.model.task != "multiclass"
        return declared and self._fits()

    def _fits(self) -> bool:
        """Tell whether an event fits the declared schema."""
        if not self.objects:
            return False
        if self.label is None and not any(present(value.get(self.config.model.target)) for value in self.objects):
            return False
        return bool(self.decoded(self.schema()).xs)

    def decoded(self, schema: Schema) -> Decoded:
        """Return them by a schema, as the gate will see them."""
        gate = self.config.gate
        decoder = Decoder(schema, self.log.format, bound=gate.bound, bytes_max=gate.bytes_max)
        return decoder.decode(self.events, self.stamps)


def _read_first(
    first: _FirstEvents, start: TopicPosition, stop: Stop, *, until_end: bool, tell: Callable[[int], None]
) -> None:
    log = first.log
    ends = log.end() if until_end else None
    log.seek(start)
    next_offsets = {partition: cursor.next_offset for partition, cursor in start.cursors.items()}
    news_at = time.monotonic()
    while not stop.requested and not first.enough:
        if ends is not None and all(next_offsets.get(partition, 0) >= end for partition, end in ends.items()):
            return
        batch = log.poll(POLL_S_MAX, min(EVENTS_PER_POLL_MAX, max(1, EVENTS_TO_INFER - len(first.objects))))
        for span in batch.spans:
            first.extend(span)
            next_offsets[span.partition] = span.stop
        if batch:
            news_at = time.monotonic()
            tell(len(first.events))
        elif ends is None and first.objects and time.monotonic() - news_at >= IDLE_S:
            return


def _refuse_if_all_held(first: _FirstEvents, schema: Schema) -> None:
    """Raise if the schema fits no event: that is a mistake of the configuration, not garbage."""
    decoded = first.decoded(schema)
    if not decoded.xs:
        reason, count = Counter(fault.reason for _, fault in decoded.faults).most_common(1)[0]
        detail = next(fault.detail for _, fault in decoded.faults if fault.reason == reason)
        raise ConfigError(
            f"expected events that fit the schema, but each of the first {len(first.events):,} would be held, "
            f"{count:,} of them for {reason}: {detail}",
            "mend [schema], [model] target or positive, or [labels]",
        )


def untrained(config: Config, recipe: Recipe, schema: Schema) -> Learner:
    """Return the learner that has learned nothing. Raises `MetricError` for a metric that does not fit."""
    return Learner.new(recipe, **making(config, schema))


def making(config: Config, schema: Schema) -> Making:
    """Return how the configuration wants a learner to be made."""
    unknown = [name for name in config.validation.slices if name not in schema.names]
    if unknown:
        raise ConfigError(
            f"validation.slices: expected features of the schema, which are {', '.join(schema.names):.1000}; "
            f"found {', '.join(unknown)}",
            "declare the field in [schema]; a recipe can leave a feature out: compose.Discard('field') | …",
        )
    return Making(
        features=schema.names,
        metrics=config.metrics,
        window=config.validation.window,
        fading=config.validation.fading,
        slices=config.validation.slices,
        slices_max=config.validation.slices_max,
        bounds=config.validation.bounds,
        static_after=config.validation.static_after,
        weights=_weights(config.model),
        score_weights=_weights(config.validation),
        labels=_label_policy(config, schema),
        joined=config.labels is not None and config.labels.log is not None,
        at_question=config.validation.unsupervised == "question",
    )


def _weights(table: ModelTable | ValidationTable) -> Weights:
    """Return what an event counts for, by the settings of a table."""
    half_life = None if table.recency is None else table.recency / timedelta(microseconds=1)
    return Weights(table.weight, half_life)


def _label_policy(config: Config, schema: Schema) -> LabelPolicy | None:
    """Return what is done with labels that come later, None if each comes with its event."""
    if config.labels is None:
        return None
    timeout, default = config.labels.timeout, config.labels.default
    try:
        label = None if default is None else LabelReader(schema.label, config.gate.bound, text=False).label(default)
    except FieldFault as found:
        raise ConfigError(f"labels.default: {found.fault.detail}", "give a label of the target's type") from None
    return LabelPolicy(
        timeout=None if timeout is None else timeout // timedelta(microseconds=1),
        default=label,
        pending_max=config.labels.pending_max,
    )


def genesis(config: Config, recipe: Recipe, schema: Schema, start: Position, run: int) -> NewVersion:
    """Return the version that has learned nothing and stands at the start of the logs."""
    sealed = untrained(config, recipe, schema).seal()
    return NewVersion(
        kind="genesis",
        parent=None,
        state=sealed.state,
        position=start,
        segment=Segment(),
        accounts=Accounts(),
        proof=Proof(sealed.digest, sealed.golden, sealed.scores, sealed.baselines, sealed.details),
        recipe=recipe.text,
        identity=recipe.identity,
        schema=schema.to_json(),
        config_hash=config.hash,
        environment=environment(),
        token=uuid.uuid4().hex,
        reason="genesis",
        run=run,
    )
