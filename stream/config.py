"""Configuration as code: one `tidemark.toml`, checked as a whole before anything is touched.

Every setting can also come from the environment (`TIDEMARK_STORE__URL`), which wins: a secret need not stand in a file.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stream.errors import ConfigError
from stream.tables import (
    FieldTable,
    GateTable,
    LabelsTable,
    ModelTable,
    PublishTable,
    SnapshotsTable,
    SourceTable,
    StoreTable,
    ValidationTable,
)


class Config(BaseSettings):
    """The whole file. `base` is its folder: relative paths are relative to it."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="TIDEMARK_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    model: ModelTable
    source: SourceTable
    fields: dict[str, FieldTable | Literal["ignore", "hold"]] = Field(default_factory=dict, alias="schema")
    labels: LabelsTable | None = None
    validation: ValidationTable = ValidationTable()
    snapshots: SnapshotsTable = SnapshotsTable()
    gate: GateTable = GateTable()
    publish: PublishTable = PublishTable()
    store: StoreTable = StoreTable()
    base: Path = Field(default=Path(), exclude=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file; read no other place."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @model_validator(mode="after")
    def _fields_fit(self) -> Self:
        own_log = self.labels is not None and self.labels.log is not None
        arrival = self.labels.moment if self.labels and not own_log else None
        if own_log and self.source.id is None:
            raise ValueError("labels.log: expected source.id too, the field that names an event when its label comes")
        named = [name for name in (self.model.target, self.source.moment, arrival) if name]
        if len(set(named)) < len(named):
            raise ValueError("the target, source.moment and labels.moment must be three fields")
        for name, spec in self.fields.items():
            if isinstance(spec, str) and name != "unknown":
                raise ValueError(f'schema.{name}: expected a table such as {{ type = "number" }}, found "{spec}"')
            if name in (self.model.target, self.source.id, arrival):
                raise ValueError(f"schema.{name}: the target, the id and the label's time are never features")
        return self

    @model_validator(mode="after")
    def _gate_fits(self) -> Self:
        if self.gate.duplicates is not None and self.source.id is None:
            raise ValueError("gate.duplicates: expected source.id too, the field that names an event")
        if self.gate.age_max is not None and self.source.moment is None and self.source.log.startswith("file:"):
            raise ValueError(
                "gate.age_max: expected source.moment too, the field with the event's time: files have none"
            )
        return self

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        for name, table in (("model", self.model), ("validation", self.validation)):
            if table.recency is not None and self.labels is None:
                raise ValueError(
                    f"{name}.recency: expected [labels]: weights by age halve from the question to its label"
                )
            spec = self.fields.get(table.weight) if table.weight is not None else None
            if table.weight is None or (isinstance(spec, FieldTable) and spec.weighs):
                continue
            raise ValueError(
                f"{name}.weight: expected a field that [schema] declares so that every event has a weight, "
                f'{table.weight} = {{ type = "number", min = 0, required = true }}; found '
                + ("none" if spec is None else f"{spec!r}")
            )
        return self

    @property
    def label_fields(self) -> tuple[str, str, str | None]:
        """The fields of a record in the log of labels: the event's id, the label, its time (None: the record's own)."""
        assert self.labels is not None, "asked where labels have a log of their own"
        name = self.labels.id or self.source.id
        assert name is not None, "checked: the log of labels needs an id"
        return name, self.labels.target or self.model.target, self.labels.moment

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics asked for, or the usual ones of the task."""
        usual = {"binary": ("Accuracy", "F1"), "multiclass": ("Accuracy", "MacroF1"), "regression": ("MAE", "RMSE")}
        return self.validation.metrics or usual[self.model.task]

    @property
    def store_url(self) -> str:
        """The store's URL, with a relative SQLite path made absolute from the file's folder."""
        head, mark, path = self.store.url.partition("sqlite:///")
        if mark and not head and path and path != ":memory:" and not path.startswith("/"):
            return f"sqlite:///{(self.base / path).resolve()}"
        return self.store.url

    @property
    def owners(self) -> dict[str, str]:
        """Who owns which feature."""
        return {name: spec.owner for name, spec in self.fields.items() if isinstance(spec, FieldTable) and spec.owner}

    @property
    def slices(self) -> list[Any] | None:
        """The fields of slices, and how many values each may have."""
        return [*self.validation.slices, self.validation.slices_max] if self.validation.slices else None

    def fixed(self, identity: str) -> dict[str, Any]:
        """Return what may not change once the model has versions; `identity` is the recipe's canonical form."""
        return {
            "model.name": self.model.name,
            "model.task": self.model.task,
            "model.target": self.model.target,
            "model.positive": self.model.positive,
            "model.learner": identity,
            "schema": {
                name: spec if isinstance(spec, str) else spec.model_dump(mode="json", exclude={"owner"})
                for name, spec in self.fields.items()
            },
            "schema order": [name for name in self.fields if name != "unknown"],
            "source.moment": self.source.moment,
            "source.id": self.source.id,
            "source.ignore": sorted(self.source.ignore),
            "labels": self._fixed_labels(),
            "validation.unsupervised": self.validation.unsupervised,
            "validation.metrics": list(self.metrics),
            "validation.window": self.validation.window,
            "validation.fading": self.validation.fading,
            "validation.slices": self.slices,
            "validation.static_after": self.validation.static_after,
            "validation.bounds": self.validation.bounds or None,
            **{
                f"{name}.{key}": value
                for name, table in (("model", self.model), ("validation", self.validation))
                for key, value in table.model_dump(mode="json", include={"weight", "recency"}).items()
            },
        }

    def _fixed_labels(self) -> dict[str, Any] | None:
        """Return how labels come; where their log is may change, not whether they have one."""
        if self.labels is None:
            return None
        if self.labels.log is None:
            return self.labels.model_dump(mode="json", exclude={"log", "id", "target", "start", "idle"})
        return {**self.labels.model_dump(mode="json", exclude={"start", "idle"}), "log": True}

    def public(self) -> dict[str, Any]:
        """Return the configuration as plain values, without what may hold a secret (broker settings, store URL)."""
        return self.model_dump(mode="json", by_alias=True, exclude={"store": True, "source": {"kafka": True}})

    @property
    def hash(self) -> str:
        """A SHA-256 of `public`, in hexadecimal."""
        return hashlib.sha256(msgspec.json.encode(self.public(), order="deterministic")).hexdigest()


def read_config(path: Path) -> Config:
    """Read and check a configuration file. Raises `ConfigError` naming every wrong key, and likely meant ones."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"expected a configuration file, found none at {path}",
            "go to the folder that has tidemark.toml, or name the file with -c FILE; `tidemark demo` writes an example",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}", "mend the line that it names") from error
    if "base" in tables:
        raise ConfigError(f"{path}: base: unknown key", "remove it")
    try:
        return Config(**tables, base=path.resolve().parent)
    except ValidationError as error:
        wrong = [each for each in error.errors() if each["type"] != "literal_error" or error.error_count() == 1]
        told = dict.fromkeys(map(_told, wrong))
        raise ConfigError("\n".join([f"{path}:", *told]), "see `Configuration` in the README") from None


def in_toml(recipe: str) -> str:
    r"""Write a recipe as the value of `learner` in the configuration.

    >>> print(in_toml("a() |\n b('x')"))
    "a() |\n b('x')"
    """
    return json.dumps(recipe, ensure_ascii=False)


def _told(error: Any) -> str:
    """Say one of pydantic's errors as a person would."""
    key = ".".join(str(part) for part in error["loc"] if not _is_internal(part)) or "the file"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), _keys(error["loc"][:-1]), n=1)
        return f"  {key}: unknown key" + (f"; did you mean `{near[0]}`?" if near else "")
    if error["type"] == "missing":
        return f"  {key}: is missing"
    found = f", found {error['input']!r}" if isinstance(error.get("input"), (str, int, float)) else ""
    return f"  {key}: {error['msg'].removeprefix('Value error, ')}{found}"


def _is_internal(part: Any) -> bool:
    """Tell pydantic's own parts of a path from the keys of the file."""
    return isinstance(part, str) and part.startswith(("function-", "literal[", "FieldTable", "BreakerTable"))


def _keys(path: tuple[Any, ...]) -> list[str]:
    """Return the keys that a table knows."""
    table: Any = Config
    for part in path:
        field = table.model_fields.get(part)
        table = field.annotation if field is not None else None
        if not (isinstance(table, type) and issubclass(table, BaseModel)):
            return []
    return [field.alias or name for name, field in table.model_fields.items() if name != "base"]
