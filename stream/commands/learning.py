"""Commands that need the learner: train, verify, predict. They import river, which takes a second."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

import msgspec
from rich.markup import escape

from learners import Learner, LearnFailed, read_recipe
from store import ModelStore
from store.types import Accounts, Version
from stream.commands.opened import console, opened_model, print_json
from stream.commands.progress import progress
from stream.config import Config, read_config
from stream.consumer import Options, consume
from stream.decode import Decoder
from stream.errors import ConfigError, LogUnreachable
from stream.feed import Feed
from stream.files import FileLog
from stream.gate import Gate
from stream.held import RAISED
from stream.log import POLL_S_MAX, Log, within
from stream.replay import Verification, refill, verify
from stream.runs import recorded
from stream.schema import Schema
from stream.screen import open_screen
from stream.settled import check_settled
from stream.sources import open_feed, open_log
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
    told = asdict(head.accounts if head else Accounts())
    if as_json:
        print_json({"head": head.version if head else None, **told, "scores": head.proof.scores if head else {}})
    elif head is None:
        console().print("nothing to learn from yet: the log has no event")
    else:
        shown = {name: score["cumulative"] for name, score in head.proof.scores.items()}
        scores = "  ".join(f"{name} {'-' if value is None else value}" for name, value in shown.items())
        sum_of = [
            f"{key} {told[key]:,}" for key in ("learned", "held", "pending", "expired") if told[key] or key == "learned"
        ]
        console().print(
            f"head is version {head.version}: read {told['read']:,} = {' + '.join(sum_of)}", highlight=False
        )
        console().print(scores, highlight=False)


def open_replay_feed(config: Config) -> Feed:
    """Open the configured logs for reading them again: their own reader, which never touches the trainer's."""
    return open_feed(config, until_end=True, group=f"tidemark-{config.model.name}-replay")


def verify_versions(path: Path, selector: str, *, as_json: bool) -> bool:
    """Recompute a version (or, with "all", each) from its parent; False if one is not equal."""
    with opened_model(path) as (config, model):
        recipe = read_recipe(config.model.learner, config.model.task, search_path=config.base)
        check_settled(model, config, recipe, None)
        versions = model.versions() if selector == "all" else [model.version(selector)]
        found = _verify_each(config, model, versions)
    values = [{"version": v.version, "equal": v.equal, "events": v.events, "why": v.why} for v in found]
    if as_json:
        print_json(values if selector == "all" else values[0])
    else:
        for each in found:
            word = {True: "[green]equal[/]", False: "[red]not equal[/]", None: "[yellow]cannot tell[/]"}[each.equal]
            why = f": {each.why}" if each.why else ""
            told_why = escape(why)
            console().print(
                f"version {each.version}: {word}, {each.events:,} events replayed{told_why}", highlight=False
            )
    return all(each.equal is not False for each in found)


def _verify_each(config: Config, model: ModelStore, versions: Sequence[Version]) -> list[Verification]:
    try:
        feed = open_replay_feed(config)
    except (LogUnreachable, ConfigError) as unreachable:
        return [Verification(each.version, None, 0, f"the log cannot be read: {unreachable}") for each in versions]
    try:
        return [_verify_one(config, model, feed, version) for version in versions]
    finally:
        feed.close()


def _verify_one(config: Config, model: ModelStore, feed: Feed, version: Version) -> Verification:
    with (
        recorded(model, config, "verify") as run,
        progress(f"version {version.version}", model.segment(version.version).events) as tell,
    ):
        found = verify(model, feed, config, version, tell)
        run.result.update(version=found.version, equal=found.equal, why=found.why)
        return found


def recompute_bytes(config: Config, model: ModelStore, version: Version) -> None:
    """Replay a version whose bytes were expired, and keep them again."""
    feed = open_replay_feed(config)
    try:
        events = sum(model.segment(each.version).events for each in model.lineage(version.version))
        with recorded(model, config, "replay"), progress(f"replaying version {version.version}", events) as tell:
            refill(model, feed, config, version, tell)
    finally:
        feed.close()


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
            with _writing(output) as out:
                _write_predictions(log, gate, learner, out, form)
    finally:
        log.close()


@contextmanager
def _writing(output: Path) -> Iterator[TextIO]:
    try:
        out = output.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}", "name a file that you may write") from error
    with out:
        yield out


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
    start = log.start("earliest")
    log.seek(start)
    done = {partition: cursor.next_offset for partition, cursor in start.cursors.items()}
    while any(done.get(partition, 0) < end for partition, end in ends.items()):
        batch = within(log.poll(POLL_S_MAX), ends)
        verdicts = gate.judge(batch)
        lines: list[Line] = [(held.partition, held.offset, None, None, held.reason) for held in verdicts.held]
        places = [(partition, offset) for partition, offsets in verdicts.offsets for offset in offsets]
        lines += [(*place, *_answer(learner, x)) for place, x in zip(places, verdicts.xs, strict=True)]
        yield from sorted(lines, key=lambda line: line[:2])
        for span in batch.spans:
            done[span.partition] = span.stop


def _answer(learner: Learner, x: dict[str, Any]) -> tuple[Any, dict[str, float] | None, str | None]:
    try:
        answer = learner.predict_one(x)
    except LearnFailed:
        return None, None, RAISED
    return answer.y_pred, _named(answer.probabilities), None


def _named(probabilities: Mapping[Any, float] | None) -> dict[str, float] | None:
    if probabilities is None:
        return None
    return {_cell(label) if isinstance(label, bool) else str(label): chance for label, chance in probabilities.items()}
