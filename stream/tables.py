"""The tables of `tidemark.toml`: what each setting is, and what it may be. Unknown keys are refused."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from stream.log import EVENT_BYTES_MAX

Task = Literal["binary", "multiclass", "regression"]
BOUND_MAX = 1e300
"""The widest bound that [gate] may set. Replay decodes by it: what was held then is held by the record."""

_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def read_duration(value: Any) -> Any:
    """Read "500ms", "60s", "10m", "12h" or "7d"; other values are left to pydantic.

    >>> read_duration("90s")
    datetime.timedelta(seconds=90)
    """
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())):
        return timedelta(seconds=float(found[1]) * _UNITS_S[found[2]])
    if isinstance(value, (str, bool)):
        told = 'expected a duration such as "500ms", "60s", "10m", "12h" or "7d"'
        raise ValueError(told)  # noqa: TRY004 - pydantic gathers ValueErrors
    return value


Duration = Annotated[timedelta, BeforeValidator(read_duration)]


class Table(BaseModel):
    """A table of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelTable(Table):
    """`[model]`: what is learned, from which field, by which learner."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    task: Task
    target: str = Field(min_length=1)
    learner: str = Field(min_length=1)
    mode: Literal["dynamic", "static"] = "dynamic"
    positive: str | bool | int | float | None = None
    weight: str | None = None
    recency: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    engine: Literal["auto", "river"] = "auto"

    @model_validator(mode="after")
    def _positive_is_binary(self) -> Self:
        if self.positive is not None and self.task != "binary":
            raise ValueError(f'`positive` belongs to task = "binary", not to "{self.task}"')
        return self


class SourceTable(Table):
    """`[source]`: the log of events, and which of its fields mean what."""

    log: str = Field(min_length=1)
    start: str | dict[int, Annotated[int, Field(ge=0)]] = "earliest"
    moment: str | None = None
    id: str | None = None
    ignore: tuple[str, ...] = ()
    kafka: dict[str, str] = Field(default_factory=dict)

    @field_validator("kafka", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """Let librdkafka's numbers and booleans be written as such."""
        if not isinstance(value, dict):
            return value
        return {key: str(v).lower() if isinstance(v, bool) else str(v) for key, v in value.items()}


class FieldTable(Table):
    """One feature of `[schema]`: its type, and optionally bounds, allowed values, if it must be there, its owner."""

    type: Literal["number", "bool", "category", "time"]
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] | None = None
    required: bool = False
    owner: str | None = None

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        if self.type != "number" and (self.min is not None or self.max is not None):
            raise ValueError(f"`min` and `max` are for numbers, not for {self.type}")
        if self.type != "category" and self.values is not None:
            raise ValueError(f"`values` is for categories, not for {self.type}")
        return self

    @property
    def weighs(self) -> bool:
        """Whether its values can be weights: numbers, never missing, never negative."""
        return self.type == "number" and self.required and self.min is not None and self.min >= 0


class LabelsTable(Table):
    """`[labels]`: labels that come later than their events: at a time that the event names, or from a log of labels."""

    moment: str | None = Field(default=None, min_length=1)
    log: str | None = Field(default=None, min_length=1)
    id: str | None = Field(default=None, min_length=1)
    target: str | None = Field(default=None, min_length=1)
    start: str | dict[int, Annotated[int, Field(ge=0)]] = "earliest"
    idle: Duration = Field(default=timedelta(seconds=5), ge=timedelta(0))
    timeout: Duration | None = Field(default=None, ge=timedelta(0))
    default: str | bool | int | float | None = None
    pending_max: int = Field(default=1_000_000, ge=1)

    @model_validator(mode="after")
    def _one_of_two_ways(self) -> Self:
        if self.log is None and self.moment is None:
            raise ValueError("expected `moment`, the field with the time of the label, or `log`, the log of labels")
        if self.log is None and (self.id or self.target):
            raise ValueError("`id` and `target` are fields of the log of labels: set `log` too")
        return self

    @model_validator(mode="after")
    def _default_needs_timeout(self) -> Self:
        if self.default is not None and self.timeout is None:
            raise ValueError("`default` is learned when the `timeout` is over: set that too")
        return self


class ValidationTable(Table):
    """`[validation]`: which of river's metrics, over how many events, faded how, and for the values of which fields."""

    metrics: tuple[str, ...] = ()
    window: int = Field(default=1000, ge=1, le=1_000_000)
    fading: float | None = Field(default=None, gt=0, lt=1)
    slices: tuple[str, ...] = ()
    slices_max: int = Field(default=50, ge=1, le=1000)
    static_after: int | None = Field(default=None, ge=1)
    bounds: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    weight: str | None = None
    recency: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    unsupervised: Literal["label", "question"] = "label"


class SnapshotsTable(Table):
    """`[snapshots]`: how often a version is saved, and how many keep their bytes."""

    every_events: int = Field(default=50_000, ge=1)
    every: Duration = timedelta(seconds=60)
    keep_last: int = Field(default=20, ge=1)
    held_bytes_max: int = Field(default=8 << 20, ge=1)
    fork_from: Duration = Field(default=timedelta(milliseconds=10), ge=timedelta(0))


class BreakerTable(Table):
    """`[gate.breaker]`: reading stops where this share of a partition's last events is held, or so many in a row."""

    share: float = Field(default=0.5, gt=0, le=1)
    last: int = Field(default=1000, ge=1, le=1_000_000)
    consecutive: int = Field(default=200, ge=1)


class GateTable(Table):
    """`[gate]`: numbers beyond +-bound are held: one 1e308 ruins a learner for ever."""

    bound: float = Field(default=1e15, gt=0, le=BOUND_MAX)
    ahead: Duration = Field(default=timedelta(days=1), ge=timedelta(0))
    bytes_max: int = Field(default=EVENT_BYTES_MAX, ge=1, le=EVENT_BYTES_MAX)
    raw: Literal["keep", "hash", "drop"] = "keep"
    age_max: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    duplicates: int | None = Field(default=None, ge=1, le=10_000_000)
    rules: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,50}$")], str] = Field(default_factory=dict)
    breaker: BreakerTable | Literal[False] = BreakerTable()


class PublishTable(Table):
    """`[publish]`: champion follows head by itself, by learned events or by time."""

    every_events: int | None = Field(default=None, ge=1)
    every: Duration | None = None


class StoreTable(Table):
    """`[store]`: the database."""

    url: str = "sqlite:///tidemark.db"
