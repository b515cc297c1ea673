"""Commands that need the learner: train, verify, predict. They import river, which takes a second."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from learners import Learner
from store import ModelStore
from store.types import Version
from stream.commands.opened import console, opened_model, print_json
from stream.config import Config, read_config
from stream.consumer import Options, consume
from stream.decode import Decoder
from stream.errors import LogUnreachable
from stream.files import FileLog
from stream.gate import Gate
from stream.log import POLL_S_MAX, Log
from stream.replay import Tell, Verification, learner_at, verify
from stream.runs import recorded
from stream.schema import Schema
from stream.screen import open_screen
from stream.sources import open_log
from stream.stop import Stop

Line = tuple[int, int, Any, dict[str, float] | None, str | None]
"""Partition, offset, y_pred, probabilities, and why the event was held if it was."""


def train(path: Path, options: Options, *, as_json: bool) -> None:
    """Run the consumer process."""
    config = read_config(path)
    stop = Stop()
    stop.listen()
    screen = open_screen(config.model.name)
    try:
        head = consume(config, options, stop, screen)
    finally:
        screen.close()
    if head is None:
        told: dict[str, Any] = {"head": None, "read": 0, "learned": 0, "held": 0}
    else:
        accounts = head.accounts
        told = {"head": head.version, "read": accounts.read, "learned": accounts.learned, "held": accounts.held}
    if as_json:
        print_json({**told, "scores": head.proof.scores if head else {}})
    elif head is None:
        console().print("nothing to learn from yet: the log has no event")
    else:
        scores = "  ".join(f"{name} {score['cumulative']}" for name, score in head.proof.scores.items())
        console().print(
            f"head is version {head.version}: "
            f"read {told['read']:,} = learned {told['learned']:,} + held {told['held']:,}\n{scores}",
            highlight=False,
        )


@contextmanager
def progress(what: str, total: int) -> Iterator[Tell]:
    """Show how far a replay is, on a terminal; give what is to be told the events."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda events: bar.advance(task, events)


def open_replay_log(config: Config) -> Log:
    """Open the configured log for reading it again: its own reader, which never touches the trainer's."""
    return open_log(
        config.source.log,
        base=config.base,
        until_end=True,
        settings=config.source.kafka,
        group=f"tidemark-{config.model.name}-replay",
    )


def verify_versions(path: Path, selector: str, *, as_json: bool) -> bool:
    """Recompute a version (or, with "all", each) from its parent; False if one is not equal."""
    with opened_model(path) as (config, model):
        versions = model.versions() if selector == "all" else [model.version(selector)]
        found = [_verify_one(config, model, version) for version in versions]
    told = [{"version": v.version, "equal": v.equal, "events": v.events, "why": v.why} for v in found]
    if as_json:
        print_json(told if selector == "all" else told[0])
    else:
        for each in found:
            word = {True: "[green]equal[/]", False: "[red]not equal[/]", None: "[yellow]cannot tell[/]"}[each.equal]
            why = f": {each.why}" if each.why else ""
            console().print(f"version {each.version}: {word}, {each.events:,} events replayed{why}", highlight=False)
    return all(each.equal is not False for each in found)


def _verify_one(config: Config, model: ModelStore, version: Version) -> Verification:
    try:
        log = open_replay_log(config)
    except LogUnreachable as unreachable:
        return Verification(version.version, None, 0, f"the log cannot be read: {unreachable}")
    try:
        with (
            recorded(model, config, "verify") as run,
            progress(f"version {version.version}", model.segment(version.version).events) as tell,
        ):
            found = verify(model, log, config, version, tell)
            run.result.update(version=found.version, equal=found.equal, why=found.why)
            return found
    finally:
        log.close()


def recompute_bytes(config: Config, model: ModelStore, version: Version) -> None:
    """Replay a version whose bytes were expired, and keep them again."""
    log = open_replay_log(config)
    try:
        events = sum(model.segment(each.version).events for each in model.lineage(version.version))
        with recorded(model, config, "replay"), progress(f"replaying version {version.version}", events) as tell:
            learner = learner_at(model, log, config, version, tell)
            model.refill(version.version, learner.seal().state)
    finally:
        log.close()


def predict(path: Path, selector: str, events: str, *, form: str, output: Path | None) -> None:
    """Write a version's predictions for the events of a log. Nothing is learned, nothing is written to the store."""
    with opened_model(path) as (config, model):
        version = model.version(selector)
        learner = Learner.restore(model.payload(version.version), version.proof.golden)
    log = _events_log(config, events)
    try:
        schema = replace(Schema.from_json(version.schema), unknown="ignore")
        gate = Gate(log.topic, Decoder(schema, log.format, bound=config.gate.bound, labeled=False))
        if output is None:
            _write_predictions(log, gate, learner, sys.stdout, form)
        else:
            with output.open("w", encoding="utf-8", newline="") as out:
                _write_predictions(log, gate, learner, out, form)
    finally:
        log.close()


def _events_log(config: Config, events: str) -> Log:
    """Open a file by its path (from here, not from the configuration), or a log by its URL."""
    if "://" in events or events.startswith("file:"):
        group = f"tidemark-{config.model.name}-predict"
        return open_log(events, base=Path.cwd(), until_end=True, settings=config.source.kafka, group=group)
    return FileLog(Path(events), until_end=True)


def _write_predictions(log: Log, gate: Gate, learner: Learner, out: TextIO, form: str) -> None:
    """Write a line for every event, in order; one that was held has its reason instead of a prediction."""
    columns = ("partition", "offset", "y_pred", "probabilities", "held")
    table = csv.writer(out, lineterminator="\n")
    if form == "csv":
        table.writerow(columns)
    for partition, offset, y_pred, probabilities, held in _predictions(log, gate, learner):
        if form == "csv":
            chances = "" if probabilities is None else msgspec.json.encode(probabilities).decode()
            table.writerow((partition, offset, _cell(y_pred), chances, held or ""))
        else:
            values = (partition, offset, y_pred, probabilities, held)
            out.write(msgspec.json.encode(dict(zip(columns, values, strict=True))).decode() + "\n")


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


def _predictions(log: Log, gate: Gate, learner: Learner) -> Iterator[Line]:
    """Read a log to the end it has now, and predict: (partition, offset, y_pred, probabilities, reason it was held)."""
    ends = log.end()
    log.seek(log.start("earliest"))
    done = {partition: 0 for partition, end in ends.items() if end}
    while any(done[partition] < ends[partition] for partition in done):
        batch = log.poll(POLL_S_MAX)
        verdicts = gate.judge(batch)
        lines: list[Line] = [(held.partition, held.offset, None, None, held.reason) for held in verdicts.held]
        places = [(partition, offset) for partition, offsets in verdicts.offsets for offset in offsets]
        for (partition, offset), answer in zip(places, learner.predict_many(verdicts.xs), strict=True):
            lines.append((partition, offset, answer.y_pred, _named(answer.probabilities), None))
        yield from sorted((line for line in lines if line[1] < ends.get(line[0], 0)), key=lambda line: line[:2])
        for span in batch.spans:
            done[span.partition] = span.stop


def _named(probabilities: Mapping[Any, float] | None) -> dict[str, float] | None:
    if probabilities is None:
        return None
    return {_cell(label) if isinstance(label, bool) else str(label): chance for label, chance in probabilities.items()}
