"""Commands that look at runs: every one and its outcome, one whole, two side by side. They change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store import ModelStore, RunRecord, Store, Trial
from store.errors import NoSuchModel
from stream.commands.opened import console, print_json, print_table, told
from stream.config import Config, read_config
from stream.errors import ConfigError

SPANS = ("cumulative", "window")
"""Spans of a score that a table shows: the first of them that has a value; --json has all."""

Flat = dict[str, Any]


@contextmanager
def opened_runs(path: Path) -> Iterator[tuple[Config, ModelStore, list[RunRecord]]]:
    """Give the configuration, its model, which need not have a version, and its runs. Raises `NoSuchModel` for none."""
    config = read_config(path)
    with Store.open(config.store_url) as store:
        model = store.model(config.model.name)
        records = model.runs()
        if not records and not model.exists():
            raise NoSuchModel(config.model.name)
        yield config, model, records


def listed(path: Path, *, as_json: bool) -> None:
    """List every run, failures too."""
    with opened_runs(path) as (config, _, records):
        pass
    if as_json:
        print_json([_plain(record) for record in records])
        return
    lines = [
        (
            record.run,
            record.command,
            record.outcome,
            f"{record.started_at:%Y-%m-%d %H:%M:%S}",
            _took(record),
            record.config_hash[:12],
            record.error or "",
        )
        for record in records
    ]
    columns = ["run", "command", "outcome", "started (UTC)", "took", "config", "error"]
    print_table(f"{config.model.name}: runs", columns, lines)


def show(path: Path, number: int, *, as_json: bool) -> None:
    """Show one run whole: what was asked, by which code and configuration, and what it came to."""
    with opened_runs(path) as (_, model, records):
        record = _one(records, number)
        trials = model.trials(number)
    if as_json:
        more = {"commit": record.result.get("commit"), "range": record.result.get("range"), "config": record.config}
        seconds = (record.ended_at - record.started_at).total_seconds() if record.ended_at else None
        print_json({**_plain(record), **more, "seconds": seconds, "trials": [_plain_trial(trial) for trial in trials]})
        return
    console().print(f"[bold]run {record.run}[/] of {record.model}: {record.command}, {record.outcome}")
    facts = {
        "started": f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC on {record.host}, took {_took(record)}",
        "error": record.error,
        "commit": record.result.get("commit"),
        "config": record.config_hash,
        "environment": "  ".join(f"{key} {value}" for key, value in record.environment.items()),
        **{key: value for key, value in flat(record.result).items() if not key.startswith(OF_CANDIDATES)},
    }
    _print_facts({key: value for key, value in facts.items() if value is not None})
    console().print("configuration, where it is set or has a default:", highlight=False)
    _print_facts(flat(record.config))
    if trials:
        _print_trials(trials)


OF_CANDIDATES = ("candidates", "baselines", "verdict", "commit")
"""What of a result has a place of its own."""


def _print_facts(facts: Flat) -> None:
    width = max(map(len, facts))
    for key, value in facts.items():
        line = f"  {key:<{width}}  {value if isinstance(value, float) else told(value)}"
        console().print(line, highlight=False, markup=False, soft_wrap=True)


def _print_trials(trials: Sequence[Trial]) -> None:
    metrics = list(dict.fromkeys(metric for trial in trials for metric in trial.result.get("scores", {})))
    lines = [
        (
            trial.name,
            trial.result.get("error") or trial.outcome,
            trial.result.get("learned"),
            *(_score(trial.result.get("scores", {}).get(metric, {})) for metric in metrics),
            trial.result.get("seconds"),
        )
        for trial in trials
    ]
    print_table("", ["candidate", "outcome", "learned", *metrics, "seconds"], lines)


def compare(path: Path, one: int, other: int, *, as_json: bool) -> None:
    """Compare two runs: what of configuration, environment and range differs, and the scores side by side."""
    with opened_runs(path) as (_, model, records):
        first, second = _one(records, one), _one(records, other)
        scores = _side_by_side(_scores(model, first), _scores(model, second))
    differences = {
        what: changes(flat(then), flat(now))
        for what, then, now in (
            ("config", first.config, second.config),
            ("environment", first.environment, second.environment),
            ("asked", _asked(first), _asked(second)),
        )
    }
    if as_json:
        print_json({"from": one, "to": other, **differences, "scores": scores})
        return
    columns = ("", f"run {one}", f"run {other}")
    for what, changed in differences.items():
        lines = [(f"  {key}", value["from"], value["to"]) for key, value in changed.items()]
        if lines:
            print_table(f"{what} differs", columns, lines)
        else:
            console().print(f"{what}: the same", highlight=False)
    if any(key.startswith("range") for key in differences["asked"]):
        console().print("the ranges differ: these are scores of other events", highlight=False)
    table = [
        (name, metric, *(_score({span: value[side] for span, value in spans.items()}) for side in SIDES))
        for name, metrics in scores.items()
        for metric, spans in metrics.items()
    ]
    print_table("scores", ("", "metric", f"run {one}", f"run {other}", "change"), table)


SIDES = ("from", "to", "change")


def _one(records: Sequence[RunRecord], number: int) -> RunRecord:
    for record in records:
        if record.run == number:
            return record
    raise ConfigError(f"expected a run of this model, found none with the number {number}", "tidemark runs lists them")


def _plain(record: RunRecord) -> dict[str, Any]:
    return {
        "run": record.run,
        "command": record.command,
        "outcome": record.outcome,
        "error": record.error,
        "started_at": record.started_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "config_hash": record.config_hash,
        "environment": record.environment,
        "host": record.host,
        "pid": record.pid,
        "result": record.result,
    }


def _plain_trial(trial: Trial) -> dict[str, Any]:
    names = ("number", "name", "recipe", "identity", "key", "outcome", "place", "result")
    return {**{name: getattr(trial, name) for name in names}, "at": trial.at.isoformat()}


def _took(record: RunRecord) -> str:
    return f"{(record.ended_at - record.started_at).total_seconds():.1f} s" if record.ended_at else "-"


def _asked(record: RunRecord) -> dict[str, Any]:
    """Return what besides configuration and environment decides what a run comes to."""
    asked = {key: record.result.get(key) for key in ("commit", "range", "start", "changes")}
    learners = {each["name"]: each["learner"] for each in record.result.get("candidates", ())}
    told = {key: value for key, value in asked.items() if value is not None}
    return {"command": record.command, **told, **({"candidates": learners} if learners else {})}


def _scores(model: ModelStore, record: RunRecord) -> dict[str, Mapping[str, Any]]:
    """Return the scores of a run by candidate; of one that trained or rebuilt, those of the version it came to."""
    if trials := model.trials(record.run):
        return {trial.name: trial.result.get("scores", {}) for trial in trials}
    version = record.result.get("to") or record.result.get("head")
    return {} if version is None else {f"version {version}": model.version(version).proof.scores}


def _side_by_side(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Flat]]]:
    """Return name to metric to span to what it was and is; what is alone on either side is compared, too."""
    pairs = [(name, name, name) for name in first if name in second]
    left, right = [name for name in first if name not in second], [name for name in second if name not in first]
    if len(left) == len(right) == 1:
        pairs.append((f"{left[0]} → {right[0]}", left.pop(), right.pop()))
    pairs += [(name, name, "") for name in left] + [(name, "", name) for name in right]
    return {name: _score_changes(first.get(one, {}), second.get(other, {})) for name, one, other in pairs}


def _score_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, dict[str, Flat]]:
    found: dict[str, dict[str, Flat]] = {}
    for metric in {**then, **now}:
        was, new = then.get(metric, {}), now.get(metric, {})
        found[metric] = {
            span: {"from": was.get(span), "to": new.get(span), "change": _change(was.get(span), new.get(span))}
            for span in {**was, **new}
        }
    return found


def _change(was: float | None, now: float | None) -> float | None:
    return None if was is None or now is None else now - was


def _score(spans: Mapping[str, Any]) -> float | None:
    return next((spans[span] for span in SPANS if spans.get(span) is not None), None)


def flat(value: Any, name: str = "") -> Flat:
    """Return nested mappings as one, its keys joined by dots; what is not set is left out.

    >>> flat({"model": {"name": "m", "weight": None}, "gate": {"rules": {}, "bound": 2.0}})
    {'model.name': 'm', 'gate.bound': 2.0}
    """
    if isinstance(value, Mapping):
        inner = [flat(each, f"{name}.{key}" if name else str(key)) for key, each in value.items()]
        return {key: each for found in inner for key, each in found.items()}
    return {} if value is None or value == [] else {name: value}


def changes(then: Flat, now: Flat) -> dict[str, Flat]:
    """Return the keys whose values differ, with both; None is not set.

    >>> changes({"a": 1, "b": 2}, {"a": 1, "c": 3})
    {'b': {'from': 2, 'to': None}, 'c': {'from': None, 'to': 3}}
    """
    keys = {**then, **now}
    return {key: {"from": then.get(key), "to": now.get(key)} for key in keys if then.get(key) != now.get(key)}
