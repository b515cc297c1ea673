"""Events into columns and nothing else: by Tidemark's own decoder, or written out with msgspec and numpy."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

Decode = Callable[[Sequence[bytes]], Any]

OWN, WRITTEN = "own", "written"


def has_columns() -> bool:
    """Tell whether this Tidemark decodes into columns."""
    from stream.decode import Decoder  # noqa: PLC0415

    return "columns" in inspect.signature(Decoder).parameters


def decoder(how: str, first: bytes) -> Decode:
    """Return what decodes a batch of events that are like the first: numbers, and the label `class`."""
    names = [key for key in json.loads(first) if key != "class"]
    return _own(names) if how == OWN else _written(names)


def _own(names: Sequence[str]) -> Decode:
    from learners.compiled import ready  # noqa: PLC0415
    from stream.decode import Decoder  # noqa: PLC0415
    from stream.log import Format  # noqa: PLC0415
    from stream.quick_json import LIBRARY  # noqa: PLC0415
    from stream.schema import FeatureField, LabelField, Schema  # noqa: PLC0415

    assert LIBRARY.ready(300)
    assert ready(300)
    features = tuple(FeatureField(name, "number") for name in names)
    more: dict[str, Any] = {"columns": True}
    schema = Schema(features, LabelField("class", "category", "UP"))
    return Decoder(schema, Format("json"), bound=1e15, **more).decode


def _written(names: Sequence[str]) -> Decode:
    import msgspec  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    struct: Any = msgspec.defstruct(
        "Event", [*((name, float) for name in names), ("class_", str)], rename={"class_": "class"}
    )
    decode = msgspec.json.Decoder(struct).decode

    def columns(events: Sequence[bytes]) -> Any:
        found = list(map(decode, events))
        numbers = np.empty((len(found), len(names)))
        for place, name in enumerate(names):
            numbers[:, place] = np.fromiter((getattr(each, name) for each in found), np.float64, len(found))
        return numbers, np.fromiter((each.class_ == "UP" for each in found), np.bool_, len(found))

    return columns
