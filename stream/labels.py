"""From the bytes of a label's record to its turn: when it became known, of which event, and the label; or why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from learners.joined import Turn
from stream.config import Config
from stream.decode import UNREADABLE, csv_cells, event_text, json_object, read_id
from stream.fields import Fault, FieldFault, LabelReader
from stream.log import Format
from stream.schema import LabelField
from stream.times import moment_of


class LabelDecoder:
    """Decodes records of the log of labels. Never raises: what cannot be decoded comes back as a `Fault`."""

    def __init__(
        self, topic: str, config: Config, label: LabelField, form: Format, *, bound: float, bytes_max: int
    ) -> None:
        self.topic = topic
        self._id, self._target, self._moment = config.label_fields
        self._text = form.kind == "csv"
        self._label = LabelReader(label, bound, text=self._text)
        self._fields = _fields_of(form, (self._id, self._target, self._moment), bytes_max)

    def decode(self, records: Sequence[bytes], timestamps_ms: Sequence[int | None]) -> list[Turn | Fault]:
        """Decode a batch, in order. `timestamps_ms` are the records' own, for labels without a time of theirs."""
        return [self._decode_one(record, stamp) for record, stamp in zip(records, timestamps_ms, strict=True)]

    def _decode_one(self, record: bytes, stamp_ms: int | None) -> Turn | Fault:
        try:
            name, label, moment = self._fields(record)
            return Turn(
                moment_of(self._moment, moment, stamp_ms, text=self._text),
                read_id(self._id, name),
                None,
                self._label.label(label),
            )
        except FieldFault as found:
            return found.fault


def _fields_of(
    form: Format, names: tuple[str, str, str | None], bytes_max: int
) -> Callable[[bytes], tuple[Any, Any, Any]]:
    """Return what reads these fields of a record; None for one that is not there. It raises `FieldFault`."""

    def pick(values: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        name, label, moment = (None if field is None else values.get(field) for field in names)
        return name, label, moment

    if form.kind == "csv":
        return lambda record: pick(csv_cells(event_text(record, bytes_max), form.columns))
    try:
        struct = msgspec.defstruct(
            "Label",
            [("name", Any, None), ("label", Any, None), ("moment", Any, None)],
            rename={"name": names[0], "label": names[1], "moment": names[2] or ""},
            gc=False,
        )
    except ValueError:  # msgspec takes no such name
        return lambda record: pick(json_object(event_text(record, bytes_max).encode()))
    decode = msgspec.json.Decoder(struct).decode

    def read(record: bytes) -> tuple[Any, Any, Any]:
        event_text(record, bytes_max)
        try:
            found: Any = decode(record)
        except UNREADABLE:
            return pick(json_object(record))  # says why
        return found.name, found.label, found.moment

    return read
