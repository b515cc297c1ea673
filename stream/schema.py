"""The schema: which fields are features, in which order and of which type, and how the label is read.

Declared in `[schema]`, or inferred once from the first events; either way pinned in the genesis version. Features reach
every model in schema order: another order changes results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from stream.config import Config
from stream.errors import ConfigError

FieldType = Literal["number", "bool", "category", "time"]
LabelType = Literal["number", "truth", "category", "integer"]
EVENTS_TO_INFER = 1000
"""The first events that a schema is inferred from; fewer at the end of the log."""

TRUTHS = {"1": True, "1.0": True, "true": True, "True": True, "0": False, "0.0": False, "false": False, "False": False}
"""How a truth may be written in a CSV file."""

MAJORITY = 0.9
"""The share of the values present that must agree on a type; with less, the field is a category."""

PRESENT_SHARE_MIN = 0.01
"""A field that fewer events have is not taken for a feature: garbage brings fields of its own."""


@dataclass(frozen=True, slots=True)
class FeatureField:
    """One feature: its name and type, and the rules that its values must keep."""

    name: str
    type: FieldType
    required: bool = False
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LabelField:
    """The label: its field, its type, and for a binary task the value that counts as positive.

    Types: "truth" is a boolean, or 0 and 1; "integer" is a class given as a number.
    """

    name: str
    type: LabelType
    positive: str | bool | int | float | None = None


@dataclass(frozen=True, slots=True)
class TimeFields:
    """Where labels come later: the field with the event's time (None: the record's timestamp), and how its label comes.

    `arrival` is the event's own field with the time of its label; or `id` its name, by which a label comes from a log
    of labels.
    """

    moment: str | None
    arrival: str | None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """Features in order, the label, and what to do with fields that are neither; `times` if labels come later.

    >>> schema = Schema((FeatureField("x", "number"),), LabelField("y", "number"), "ignore")
    >>> Schema.from_json(schema.to_json()) == schema
    True
    """

    features: tuple[FeatureField, ...]
    label: LabelField
    unknown: Literal["ignore", "hold"] = "ignore"
    ignored: tuple[str, ...] = ()
    times: TimeFields | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in schema order."""
        return tuple(field.name for field in self.features)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a JSON column."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schema:
        """Read back what `to_json` gave."""
        return msgspec.convert(value, cls, strict=False)


def declared(config: Config, label: LabelField) -> Schema:
    """Return the schema that `[schema]` declares, with the label's field."""
    features = tuple(
        FeatureField(name, spec.type, spec.required, spec.min, spec.max, spec.values)
        for name, spec in config.fields.items()
        if not isinstance(spec, str)
    )
    names = {field.name for field in features}
    ignored = sorted({*_ignored(config), *([config.source.moment] if config.source.moment else [])} - names)
    return Schema(features, label, _unknown(config), tuple(ignored), _times(config))


def infer(
    config: Config,
    objects: Sequence[Mapping[str, Any]],
    *,
    text: bool,
    columns: Sequence[str] = (),
    labels: LabelField | None = None,
) -> Schema:
    """Infer the schema from the first events, by large majority of the values present, so garbage does not decide.

    `text`: values are cells of a CSV file with these `columns`. `labels` tells how labels are read that are in a log of
    their own. Raises `ConfigError` if no event has the target, or no feature is left.
    """
    label = labels or infer_label(config, objects, text=text)
    if any(not isinstance(spec, str) for spec in config.fields.values()):
        return declared(config, label)
    ignored = {config.model.target, *_ignored(config)}
    seen: dict[str, Counter[str]] = {name: Counter() for name in columns if name not in ignored}
    for value in objects:
        for key, item in value.items():
            if key not in ignored:
                counts = seen.setdefault(key, Counter())
                if present(item):
                    counts[_text_type(item) if text else _type(item)] += 1
    kinds = {
        name: kind
        for name, counts in seen.items()
        if counts.total() >= max(1, len(objects) * PRESENT_SHARE_MIN) and (kind := _majority(counts)) is not None
    }
    features = tuple(
        FeatureField(name, kinds[name]) for name in columns or _usual_order(kinds, objects) if name in kinds
    )
    if not features:
        raise ConfigError(
            "expected at least one feature beside the target, found none", "check [source] ignore and the log"
        )
    return Schema(features, label, _unknown(config), _ignored(config), _times(config))


def infer_label(config: Config, objects: Sequence[Mapping[str, Any]], *, text: bool) -> LabelField:
    """Return how labels are read, by the task and by the first records that should have one.

    Raises `ConfigError` if none has one, or if they are not what the task says. Where labels have a log of their own,
    it may have none yet: then classes are read as text.
    """
    target = config.model.target
    labels = [value[target] for value in objects if present(value.get(target))]
    if not labels and (objects or config.labels is None or config.labels.log is None):
        fields = sorted({key for value in objects for key in value})
        raise ConfigError(
            f'expected the target "{target}" in the events, found it in none of the first {len(objects)}; '
            f"they have {', '.join(fields[:20]) or 'no readable fields'}",
            "set [model] target to the field that holds the label",
        )
    label = LabelField(target, _label_type(config, labels, text=text), config.model.positive)
    _check_labels(label, labels)
    return label


def _usual_order(names: Mapping[str, Any], objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Order the features as the first event that has the most of them does; garbage may come before it."""
    fullest = max(objects, key=lambda value: sum(name in value for name in names))
    return [*(name for name in fullest if name in names), *(name for name in names if name not in fullest)]


def present(value: Any) -> bool:
    """Tell whether a value is there: absent, null and the empty CSV cell are missing."""
    return value is not None and value != ""


def _ignored(config: Config) -> tuple[str, ...]:
    beside = (config.source.id, config.labels.moment if config.labels and not config.labels.log else None)
    return tuple(sorted({*config.source.ignore, *(name for name in beside if name)}))


def _times(config: Config) -> TimeFields | None:
    if config.labels is None:
        return None
    if config.labels.log is None:
        return TimeFields(config.source.moment, config.labels.moment)
    return TimeFields(config.source.moment, None, config.source.id)


def _unknown(config: Config) -> Literal["ignore", "hold"]:
    return "hold" if config.fields.get("unknown") == "hold" else "ignore"


def _majority(counts: Counter[str]) -> FieldType | None:
    """Return the type that nearly all values have; mixed text is a category; lists and objects are no feature."""
    (kind, most), total = counts.most_common(1)[0], counts.total()
    if most < total * MAJORITY:
        kind = "category" if counts["other"] < total * MAJORITY else "other"
    return kind if kind in ("number", "bool", "category", "time") else None  # type: ignore[return-value]


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "time" if _is_time(value) else "category"
    return "other"


def _text_type(value: str) -> str:
    if value in ("True", "False", "true", "false"):
        return "bool"
    try:
        msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError as error:
        if "out of range" in str(error):
            return "number"
        return "time" if _is_time(value) else "category"
    return "number"


def _is_time(value: str) -> bool:
    try:
        msgspec.convert(value, datetime)
    except (msgspec.ValidationError, ValueError):
        return False
    return True


def _label_type(config: Config, labels: Sequence[Any], *, text: bool) -> LabelType:
    """Return how labels are read: by the task, the positive value, and for classes by majority."""
    if config.model.task == "regression":
        return "number"
    if config.model.task == "binary":
        positive = config.model.positive
        if isinstance(positive, str):
            return "category"
        return "truth" if positive is None or isinstance(positive, bool) or positive in (0, 1) else "number"
    if not labels:
        return "category"
    counts = Counter(_class_type(value, text=text) for value in labels)
    return "integer" if counts["integer"] >= counts.total() * MAJORITY else "category"


def _check_labels(label: LabelField, labels: Sequence[Any]) -> None:
    """Raise if the labels are not what the task and `positive` say: a mistake that would train a useless model."""
    found = Counter(str(value) for value in labels)
    told = ", ".join(repr(name) for name, _ in found.most_common(5))
    if label.type == "truth":
        truths = sum(count for name, count in found.items() if name in TRUTHS)
        if truths < found.total() * MAJORITY:
            raise ConfigError(
                f'expected "{label.name}" to be true or false, 1 or 0; found {told}',
                "name the label that counts as positive: [model] positive",
            )
    elif label.positive is not None and len(found) > 1:
        number = label.type == "number"
        if not any(_same_number(name, label.positive) if number else name == str(label.positive) for name in found):
            raise ConfigError(
                f'expected some "{label.name}" to be positive = {label.positive!r}; found {told}',
                "write [model] positive as the label stands in the events",
            )


def _same_number(text: str, number: Any) -> bool:
    try:
        return float(text) == float(number)
    except ValueError:
        return False


def _class_type(value: Any, *, text: bool) -> str:
    if text:
        return "integer" if value.lstrip("-").isascii() and value.lstrip("-").isdigit() else "category"
    return "integer" if isinstance(value, int) and not isinstance(value, bool) else "category"
