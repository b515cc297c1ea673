"""How one field is read: the types that msgspec checks by, and the reason when a value does not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from stream.schema import TRUTHS, FeatureField, LabelField, present


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an event is not an example: a reason code, and the same in words; who owns the field at fault, if known."""

    reason: str
    detail: str
    owner: str | None = None


class FieldFault(Exception):
    """Raised while one event is read, and caught where the batch is: it carries the `Fault`."""

    def __init__(self, reason: str, detail: str, owner: str | None = None) -> None:
        super().__init__(detail)
        self.fault = Fault(reason, detail, owner)


def strict_type(field: FeatureField, bound: float) -> Any:
    """Return the type by which msgspec reads a feature that is there and as it should be."""
    if field.type == "number":
        low, high = limits_of(field, bound)
        return Annotated[float, msgspec.Meta(ge=low, le=high)]
    if field.type == "category":
        return Literal[field.values] if field.values else Annotated[str, msgspec.Meta(min_length=1)]
    return bool if field.type == "bool" else datetime


def limits_of(field: FeatureField, bound: float) -> tuple[float, float]:
    """Return the least and the greatest number that a feature may be."""
    low = -bound if field.min is None else max(-bound, field.min)
    high = bound if field.max is None else min(bound, field.max)
    return low, high


def read_feature(field: FeatureField, value: Any, bound: float, *, text: bool) -> Any:
    """Read a value that is there. `text`: it is a CSV cell. Raises `FieldFault`."""
    if field.type == "number":
        return read_number(field.name, value, bound, text=text, low=field.min, high=field.max)
    if field.type == "category":
        return _read_category(field, value)
    kind: Any = bool if field.type == "bool" else datetime
    try:
        return msgspec.convert(value, kind, strict=not text)
    except (msgspec.ValidationError, ValueError):
        raise _wrong_type(field.name, "true or false" if kind is bool else "an ISO time", value) from None


def read_number(
    name: str, value: Any, bound: float, *, text: bool, low: float | None = None, high: float | None = None
) -> float:
    """Read a finite float64 within its bounds. Raises `FieldFault`."""
    number = _to_float(name, value, text=text)
    if not math.isfinite(number):
        raise FieldFault("not_finite", f"{name}: expected a finite number, found {value!r:.50}")
    if abs(number) > bound:
        raise FieldFault("beyond_bound", f"{name}: expected a number within +-{bound:g}, found {number:g}")
    if (low is not None and number < low) or (high is not None and number > high):
        raise FieldFault("out_of_range", f"{name}: expected a number from {low} to {high}, found {number:g}")
    return number


def _to_float(name: str, value: Any, *, text: bool) -> float:
    if text:
        try:
            return msgspec.convert(value, float, strict=False)
        except msgspec.ValidationError as error:
            if "out of range" in str(error):
                return math.inf
            raise _wrong_type(name, "a number", value) from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(name, "a number", value)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _read_category(field: FeatureField, value: Any) -> str:
    """Read text; a JSON integer counts as its digits, as it would in a CSV file."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _wrong_type(field.name, "text", value)
    if field.values is not None and value not in field.values:
        raise FieldFault("not_allowed", f"{field.name}: expected one of {', '.join(field.values)}; found {value!r:.50}")
    return value


def _wrong_type(name: str, expected: str, value: Any) -> FieldFault:
    return FieldFault("field_type", f"{name}: expected {expected}, found {value!r:.50}")


class LabelReader:
    """Reads labels: binary ones become bools, classes text or integers, regression targets finite numbers.

    `later`: labels come later than their events, so that one that is not there is not known yet: None.
    """

    def __init__(self, label: LabelField, bound: float, *, text: bool, later: bool = False) -> None:
        self._later = later
        self._field = label
        self._bound = bound
        self._text = text
        self._binary = label.type == "truth" or label.positive is not None
        self.positive = True if label.positive is None else label.positive

    @property
    def kind(self) -> type[bool | float] | None:
        """What all labels are: truths or numbers; None where they may be anything else, or not be there yet."""
        if self._later:
            return None
        return bool if self._binary else float if self._field.type == "number" else None

    @staticmethod
    def raw_type(label: LabelField, bound: float) -> Any:
        """Return the type by which msgspec reads a label that is there and as it should be."""
        if label.type == "truth":
            return bool | Literal[0, 1]
        if label.type == "number":
            return Annotated[float, msgspec.Meta(ge=-bound, le=bound)]
        return int if label.type == "integer" else Annotated[str, msgspec.Meta(min_length=1)]

    def labels(self, values: Sequence[Any]) -> list[Any]:
        """Read labels that `raw_type` let pass."""
        if not self._binary:
            return list(values)
        positive = self.positive
        if self._later:
            return [None if value is None else value == positive for value in values]
        return [value == positive for value in values]

    def label(self, value: Any) -> Any:
        """Read one label. Raises `FieldFault`."""
        if not present(value):
            if self._later:
                return None
            raise FieldFault("target_missing", f'expected the target "{self._field.name}", found none')
        try:
            read = self.value(value)
        except FieldFault as found:
            if found.fault.reason != "field_type":
                raise
            raise FieldFault("target_type", found.fault.detail) from None
        return read == self.positive if self._binary else read

    def value(self, value: Any) -> Any:
        """Read the value of a label as its type says, before it is compared with the positive one."""
        name, kind = self._field.name, self._field.type
        if kind == "number":
            return read_number(name, value, self._bound, text=self._text)
        if kind == "category":
            return _read_category(FeatureField(name, "category"), value)
        if kind == "truth":
            truth = TRUTHS.get(value) if isinstance(value, str) and self._text else value
            if truth not in (True, False) or isinstance(truth, str):
                raise _wrong_type(name, "true or false, 1 or 0", value)
            return bool(truth)
        try:
            return msgspec.convert(value, int, strict=not self._text)
        except msgspec.ValidationError:
            raise _wrong_type(name, "an integer class", value) from None
