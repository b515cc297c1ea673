"""Commands that care for the installation: doctor, db upgrade."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from learners import code_on_disk, read_recipe
from learners.errors import LearnerError
from store import ModelStore, Store
from store.errors import StoreError
from stream.commands.opened import console, print_json
from stream.commands.status import state_of
from stream.config import Config, read_config
from stream.environment import environment, require_same
from stream.errors import ConfigError, StreamError
from stream.feed import check_topics
from stream.forms import told as engine_told
from stream.forms import why_rows
from stream.reach import earliest_within, reach
from stream.schema import Schema
from stream.settled import check_settled
from stream.sieve import read_rules
from stream.sources import open_feed

LOG_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: well (True), ill (False), or nothing to say (None); what was found; what to do.

    `warns`: it is well, but not for long.
    """

    name: str
    well: bool | None
    found: str
    hint: str = ""
    warns: bool = False


def doctor(path: Path, *, as_json: bool) -> bool:
    """Check configuration, recipe, store, log and environment; False if something is ill. Changes nothing."""
    checks = list(_checks(path))
    if as_json:
        keys = ("well", "found", "hint", "warns")
        print_json([{"check": check.name, **{key: getattr(check, key) for key in keys}} for check in checks])
    else:
        marks = {True: "[green]well[/]", False: "[red]ill [/]", None: "[yellow]none[/]"}
        for check in checks:
            mark = "[yellow]warn[/]" if check.warns else marks[check.well]
            console().print(f"{mark}  {check.name:<14} ", end="", highlight=False)
            console().print(check.found, highlight=False, markup=False, soft_wrap=True)
            if check.hint and (check.well is False or check.warns):
                console().print(f"      {'':<14} {check.hint}", highlight=False, markup=False, soft_wrap=True)
    return all(check.well is not False for check in checks)


def _checks(path: Path) -> Iterator[Check]:
    try:
        config = read_config(path)
    except ConfigError as error:
        yield Check("configuration", well=False, found=str(error), hint=error.hint)
        return
    yield Check("configuration", well=True, found=f"{path} (model {config.model.name}, hash {config.hash[:12]})")
    yield _looked("recipe", lambda: _recipe(config))
    if config.gate.rules:
        yield _looked("rules", lambda: ", ".join(rule.name for rule in read_rules(config)))
    store: Store | None = None
    try:
        store = Store.open(config.store_url)
        model = store.model(config.model.name)
        yield Check("store", well=True, found=_without_password(config.store_url))
    except StoreError as error:
        yield Check("store", well=False, found=str(error), hint=error.hint)
        model = None
    try:
        yield from _model_checks(config, model if model is not None and model.exists() else None)
    finally:
        if store is not None:
            store.close()


def _model_checks(config: Config, model: ModelStore | None) -> Iterator[Check]:
    if model is None:
        yield Check("versions", well=None, found="the model has none yet; `tidemark train` makes the first")
        yield _looked("log", lambda: _log(config, None))
        return
    yield _looked("versions", lambda: _versions(config, model))
    yield _looked("engine", lambda: _engine(config, model))
    logs = _looked("log", lambda: _log(config, model))
    yield logs
    if logs.well:
        yield _retention(config, model)
    beat = model.heartbeat()
    yield Check("trainer", well=None if beat is None else True, found=state_of(beat, datetime.now(UTC)))
    lost = [record for record in model.runs() if record.outcome == "failed"]
    if lost:
        yield Check("runs", well=None, found=f"{len(lost)} failed, the last with: {lost[-1].error}")


def _looked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, well=True, found=look())
    except (StreamError, StoreError, LearnerError) as error:
        return Check(name, well=False, found=str(error), hint=error.hint)


def _recipe(config: Config) -> str:
    recipe = read_recipe(config.model.learner, config.model.task, search_path=config.base)
    return " ".join(recipe.text.split())


def _versions(config: Config, model: ModelStore) -> str:
    """Check that head can be gone on from: bytes, configuration, environment."""
    head, ref = model.head()
    model.payload(head.version)
    recipe = read_recipe(config.model.learner, config.model.task, search_path=config.base)
    check_settled(model, config, recipe, head)
    require_same({**head.environment, "hash_seed": environment()["hash_seed"]}, f"version {head.version}")
    learned = f"{head.accounts.learned:,} events learned"
    return f"head is version {head.version} (move {ref.moves}), {learned}; its bytes are whole"


def _engine(config: Config, model: ModelStore) -> str:
    """Say who would run head's model."""
    head, _ = model.head()
    why = why_rows(config, head.recipe, Schema.from_json(head.schema))
    return engine_told(why) if why else f"{engine_told(why)}; code on disk: {code_on_disk()}"


def _log(config: Config, model: ModelStore | None) -> str:
    """Check that the log is the one that head was made from, and still has what comes next."""
    group = f"tidemark-{config.model.name}-doctor"
    feed = open_feed(config, until_end=True, group=group)
    try:
        ends = [(topic, feed.end()[topic]) for topic in feed.topics]
        found = "; ".join(f"{topic}: {len(of)} partitions, {sum(of.values()):,} offsets" for topic, of in ends)
        if model is None:
            return found
        head, _ = model.head()
        check_topics(feed.topics, head)
        feed.seek(head.position)
        return f"{found}; head's position is in it"
    finally:
        feed.close()


def _retention(config: Config, model: ModelStore) -> Check:
    """Tell from which version on a rebuild is possible, while there is still time."""
    try:
        found = reach(model, earliest_within(config, model.head()[0].position, LOG_S_MAX))
    except StreamError as error:
        return Check("retention", well=None, found=str(error))
    told = found.told(datetime.now(UTC))
    if found.too_late:
        hint = "go on without what is lost, and record the gap: tidemark rebuild --accept-gap"
        return Check("retention", well=False, found=told, hint=hint)
    hint = "tidemark rebuild, soon" if found.base is not None else "raise the log's retention: retention.ms"
    return Check("retention", well=True, found=told, hint=hint if found.close else "", warns=found.close)


def _without_password(url: str) -> str:
    head, mark, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if mark else url


def upgrade(path: Path, *, as_json: bool) -> None:
    """Migrate the store to the schema of this program."""
    before, after = Store.upgrade(read_config(path).store_url)
    told: dict[str, Any] = {"from": before, "to": after}
    if as_json:
        print_json(told)
    else:
        console().print("the store is up to date" if before == after else f"migrated from {before} to {after}")
