"""The command bisect: which events made the model worse."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from learners import Judgement, check_metric, read_recipe
from store import ModelStore
from stream.bisect.bench import Bench, Tell
from stream.bisect.course import Course, Event
from stream.bisect.find import Answer, Question, find
from stream.bisect.hunt import Found
from stream.commands.learning import open_replay_feed
from stream.commands.opened import console, opened_model, print_json, short, told
from stream.environment import require_same
from stream.errors import ConfigError
from stream.options import TOML
from stream.runs import recorded
from stream.schema import Schema
from stream.settled import check_settled

EXAMPLES_MAX = 3
"""So many of the events are shown."""

RAW_CHARS_MAX = 2_000


def bisect(
    path: Path,
    *,
    metric: str | None,
    threshold: float | None,
    good: str | None,
    bad: str | None,
    as_json: bool,
) -> None:
    """Find the events that made the model worse, and tell how to quarantine them. Changes nothing."""
    with opened_model(path) as (config, model):
        recipe = read_recipe(config.model.learner, config.model.task, search_path=config.base)
        version = model.version(bad or "head")
        check_settled(model, config, recipe, version)
        require_same(version.environment, f"version {version.version}")
        name = metric or config.metrics[0]
        check_metric(recipe, name, Schema.from_json(version.schema).names)
        feed = open_replay_feed(config)
        try:
            with recorded(model, config, "bisect") as run, _progress() as tell:
                course = Course(model, feed, config, version)
                bench = Bench(course, tell)
                question = Question(
                    name, threshold, config.validation.window, _place(course, model, good), course.stop if bad else None
                )
                points = [point for _, point in model.points(version.version)]
                answer = find(bench, question, points)
                value = _value(answer, question, bench, path)
                run.result.update(value)
        finally:
            feed.close()
    if as_json:
        print_json(value)
    else:
        _print(value)


def _place(course: Course, model: ModelStore, selector: str | None) -> int | None:
    """Return the place of a version of the lineage. Raises `ConfigError` for another one."""
    if selector is None:
        return None
    number = model.version(selector).version
    for version, place in zip(course.versions, course.places, strict=True):
        if version.version == number:
            return place
    raise ConfigError(
        f"expected an ancestor of version {course.versions[-1].version}, found version {number}",
        "`tidemark log` marks the versions of head's lineage",
    )


@contextmanager
def _progress() -> Iterator[Tell]:
    """Show how much was replayed, on a terminal; how much is to come nobody knows."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("bisect", total=None)

        def tell(replays: int, events: int) -> None:
            bar.update(task, description=f"bisect: {replays} replays, {events:,} events")

        yield tell


def _value(answer: Answer, question: Question, bench: Bench, path: Path) -> dict[str, Any]:
    """Return the answer as plain values."""
    course, found = bench.course, answer.found
    value: dict[str, Any] = {
        "metric": question.metric,
        "threshold": question.threshold,
        "probe": {"events": answer.probe, "before": answer.good},
        "good": _state(course, answer.good, answer.first),
        "bad": _state(course, None, answer.worst),
        "found": None,
        "why": answer.why,
        "replays": bench.replays,
        "events_replayed": bench.events,
    }
    if found is not None:
        value["good"] = _state(course, found.start, found.good)
        value["bad"] = _state(course, found.at, found.bad)
        value["found"] = _found(course, found, question, path)
    return value


def _state(course: Course, place: int | None, judgement: Judgement | None) -> dict[str, Any] | None:
    if judgement is None:
        return None
    version = None if place is None else course.segment_of(place).version
    return {"after": place, "version": version, "value": judgement.value}


def _found(course: Course, found: Found, question: Question, path: Path) -> dict[str, Any]:
    stretches = stretches_of(found.events)
    moments = [moment for event in found.events if (moment := _moment(event)) is not None]
    return {
        "events": len(found.events),
        "ends": found.healed is not None,
        "healed": None if found.healed is None else found.healed.value,
        "topic": course.topic,
        "offsets": [{"partition": p, "start": start, "stop": stop} for p, start, stop in stretches],
        "first": min(moments, default=None),
        "last": max(moments, default=None),
        "examples": [_example(event) for event in found.events[:EXAMPLES_MAX]],
        "command": _command(stretches, found, question, path),
    }


def stretches_of(events: Sequence[Event]) -> list[tuple[int, int, int]]:
    """Return (partition, start, stop) of what lies in a row in its partition; between two may be what was held.

    >>> event = lambda partition, offset: Event(partition, offset, offset + 1, None, b"", {})
    >>> stretches_of([event(0, 5), event(1, 9), event(0, 6)])
    [(0, 5, 7), (1, 9, 10)]
    """
    ends: dict[int, tuple[int, int]] = {}
    for event in events:
        start, stop = ends.get(event.partition, (event.offset, event.next_offset))
        ends[event.partition] = (min(start, event.offset), max(stop, event.next_offset))
    return [(partition, start, stop) for partition, (start, stop) in sorted(ends.items())]


def _command(stretches: Sequence[tuple[int, int, int]], found: Found, question: Question, path: Path) -> str:
    """Return the command that quarantines the events."""
    reason = f"bisect: {question.metric} from {told(found.good.value)} to {told(found.bad.value)}"
    words = ["tidemark", "quarantine", "add", *(() if path == TOML else ("-c", str(path)))]
    for partition, start, stop in stretches:
        words += ["--offsets", f"{partition}:{start}-{stop}"]
    return shlex.join([*words, "--reason", reason])


def _moment(event: Event) -> str | None:
    """Return the time of an event: its own, or its record's; in UTC."""
    seconds = event.moment / 1e6 if event.moment is not None else None
    if seconds is None and event.timestamp_ms is not None:
        seconds = event.timestamp_ms / 1e3
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _example(event: Event) -> dict[str, Any]:
    return {
        "partition": event.partition,
        "offset": event.offset,
        "at": _moment(event),
        "raw": event.raw[:RAW_CHARS_MAX].decode(errors="replace"),
    }


def _print(value: dict[str, Any]) -> None:
    out = console()

    def say(text: str) -> None:
        out.print(text, highlight=False, markup=False, soft_wrap=True)

    good, bad, found, probe = (value[key] for key in ("good", "bad", "found", "probe"))
    cost = f"{value['replays']} replay{'s' * (value['replays'] != 1)} of {value['events_replayed']:,} events"
    say(f"judged by {value['metric']} on {probe['events']:,} labeled events before event {probe['before']:,}")
    if found is None:
        say(f"nothing found: {value['why']}: {told(good['value'])}, at worst {told(bad['value'])} ({cost})")
        return
    say(f"  after {good['after']:>12,} events  {told(good['value'])}")
    say(f"  after {bad['after']:>12,} events  {told(bad['value'])}")
    one = found["events"] == 1
    if found["ends"]:
        say(f"  without {'it' if one else 'them'} {told(found['healed']):>22}")
    times = f", from {found['first']} to {found['last']}" if found["first"] else ""
    say(f"{'1 event' if one else format(found['events'], ',') + ' events'} made it worse{times} ({cost}):")
    for each in found["examples"]:
        say(f"  {found['topic']}[{each['partition']}] at offset {each['offset']:,}  {short(each['raw'])}")
    if found["ends"]:
        say("quarantine with:")
    else:
        say(
            "no end of it is found: what comes after makes the model worse, too. If that is the world that changed, "
            "it is no poison; if it is garbage that goes on, quarantine with:"
        )
    say(f"  {found['command']}")
