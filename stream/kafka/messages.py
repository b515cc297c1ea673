"""What one call of librdkafka brought, taken apart: records by partition, as columns, and what else it said.

A batch has thousands of messages: what is asked of each is asked by `map`, and only if somebody needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

from confluent_kafka import KafkaError, Message

from stream.log import Span

_Ask = Callable[[Message], Any]

_ERROR: _Ask = Message.error
_PARTITION: _Ask = Message.partition
_OFFSET: _Ask = Message.offset
_VALUE: _Ask = Message.value
_KEY: _Ask = Message.key


class Asked(Sequence[Any]):
    """Values of messages that are asked for when somebody looks at them: most batches go by without."""

    __slots__ = ("_ask", "_messages")

    def __init__(self, messages: Sequence[Message], ask: _Ask) -> None:
        self._messages = messages
        self._ask = ask

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Any]:
        return map(self._ask, self._messages)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Asked: ...

    def __getitem__(self, place: int | slice) -> Any:
        return Asked(self._messages[place], self._ask) if isinstance(place, slice) else self._ask(self._messages[place])

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return list, (list(self),)


class Haul:
    """What one poll brings, taken in part by part: records of partitions, and in `told` what is none.

    A part is looked at while it is in the processor's cache: 8,192 messages at once cost 0.1 us more for each.
    """

    def __init__(self) -> None:
        self.told: list[tuple[Message, KafkaError]] = []
        self._records: dict[int, tuple[list[Message], list[Any]]] = {}

    def take(self, messages: list[Message]) -> None:
        """Take in what comes next."""
        errors = list(map(_ERROR, messages))
        if [error for error in errors if error is not None]:  # an error raises where it is compared with None
            self.told += [each for each in zip(messages, errors, strict=True) if each[1] is not None]
            messages = [message for message, error in zip(messages, errors, strict=True) if error is None]
        for partition, records in _by_partition(messages):
            kept, values = self._records.setdefault(partition, ([], []))
            kept += records
            values += map(_VALUE, records)

    def __bool__(self) -> bool:
        return bool(self._records or self.told)

    @property
    def partitions(self) -> set[int]:
        """Of which there are records."""
        return set(self._records)

    def span(self, partition: int, start: int, end: int) -> Span:
        """Return the records of a partition from `start` on; `end`: where Kafka says that the partition ends, or 0."""
        if partition not in self._records:
            return Span(partition, start, max(end, start), [], [], [], [])
        messages, values = self._records[partition]
        first, last = place_of(messages[0])[1], place_of(messages[-1])[1]
        dense = last - first + 1 == len(messages)  # offsets rise: then there is none missing
        return Span(
            partition,
            start,
            max(end, last + 1),
            list(range(first, last + 1)) if dense else list(map(_OFFSET, messages)),
            values if all(values) else [value or b"" for value in values],
            Asked(messages, _timestamp_ms),
            Asked(messages, _KEY),
        )


def _by_partition(messages: Sequence[Message]) -> Iterable[tuple[int, Sequence[Message]]]:
    """Put records apart by their partitions, each in order."""
    partitions = list(map(_PARTITION, messages))
    if not partitions or partitions.count(partitions[0]) == len(partitions):
        return [(partition, messages) for partition in partitions[:1]]
    records: dict[int, list[Message]] = {partition: [] for partition in partitions}
    for message, partition in zip(messages, partitions, strict=True):
        records[partition].append(message)
    return records.items()


def place_of(message: Message) -> tuple[int, int]:
    """Return partition and offset; -1 for what an error does not name."""
    partition, offset = message.partition(), message.offset()
    return -1 if partition is None else partition, -1 if offset is None else offset


def _timestamp_ms(message: Message) -> int | None:
    kind, ms = message.timestamp()
    return ms if kind else None
