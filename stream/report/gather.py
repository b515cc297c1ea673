"""What a report tells, gathered from the store as plain values: no page, no terminal, no model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from store import ModelStore
from store.history import Holds, Outline
from store.types import Move, MoveKind, ScorePoint, Scores, Version, VersionKind
from stream.report.entries import Quarantined, quarantined
from stream.report.verdicts import Verdict, judge


@dataclass(frozen=True, slots=True)
class Point:
    """The scores after `events` learned events, and when: `clock_us` in event time, `saved_at` its version's."""

    events: int
    version: int
    saved_at: datetime
    clock_us: int | None
    scores: Scores
    baselines: Mapping[str, Scores]


@dataclass(frozen=True, slots=True)
class Moved:
    """A reference that somebody moved: from where to where, in versions and in events that they had learned."""

    ref: str
    kind: MoveKind
    old: int | None
    new: int
    old_events: int | None
    new_events: int
    who: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Passed:
    """Offsets [start, stop) of a partition that the lineage did not read: skipped on purpose, or lost by the log."""

    version: int
    topic: str
    partition: int
    start: int
    stop: int
    kind: Literal["skip", "gap"]


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report tells of one version and what led to it. Absent is what the version has no data for.

    `settings` are those that may not change; `details` the version's own (`store.types.Proof`); `line` says which
    versions led to this one; `beside` are the points of other versions, left behind or later, a tuple for each branch.
    `published` counts how often champion followed head by itself.
    """

    model: str
    version: int
    kind: VersionKind
    reason: str
    saved_at: datetime
    made_at: datetime
    refs: Mapping[str, int]
    recipe: str
    identity: str
    settings: Mapping[str, Any]
    schema: Mapping[str, Any]
    environment: Mapping[str, str]
    config_hash: str
    position: Mapping[str, Mapping[int, int]]
    bytes: int
    events: Mapping[str, int]
    scores: Scores
    baselines: Mapping[str, Scores]
    verdicts: tuple[Verdict, ...]
    details: Mapping[str, Any]
    points: tuple[Point, ...]
    beside: tuple[tuple[Point, ...], ...]
    versions: tuple[Outline, ...]
    line: tuple[int, ...]
    moves: tuple[Moved, ...]
    published: int
    held: tuple[Holds, ...]
    quarantine: tuple[Quarantined, ...]
    passed: tuple[Passed, ...]


def gather(model: ModelStore, selector: int | str, *, now: datetime) -> Report:
    """Read what there is of a version and its lineage. Raises `NoSuchVersion`."""
    version = model.version(selector)
    refs, moves = model.refs(), model.moves_by_hand()  # before the outline, so that it has every version they name
    versions = {each.version: each for each in model.outline()}
    accounts, line = version.accounts, _line(version, versions)
    return Report(
        model=version.model,
        version=version.version,
        kind=version.kind,
        reason=version.reason,
        saved_at=version.created_at,
        made_at=now,
        refs={ref.name: ref.version for ref in refs},
        recipe=version.recipe,
        identity=version.identity,
        settings=model.config(),
        schema=version.schema,
        environment=version.environment,
        config_hash=version.config_hash,
        position=version.position.next_offsets(),
        bytes=version.size,
        events={key: getattr(accounts, key) for key in ("read", "learned", "held", "pending", "expired")},
        scores=version.proof.scores,
        baselines=version.proof.baselines,
        verdicts=judge(version.proof),
        details=version.proof.details,
        points=_points(model.points(version.version), versions),
        beside=_branches(_points(model.points_beside(version.version), versions), versions),
        versions=tuple(versions.values()),
        line=line,
        moves=tuple(_moved(move, versions) for move in moves),
        published=sum(move.kind == "publish" for move in model.moves("champion")),
        held=tuple(model.holds(version.version)),
        quarantine=quarantined(model, line, versions),
        passed=_passed(model, version),
    )


def _points(points: Iterable[tuple[int, ScorePoint]], versions: Mapping[int, Outline]) -> tuple[Point, ...]:
    return tuple(
        Point(point.events, number, versions[number].created_at, point.clock_us, point.scores, point.baselines)
        for number, point in points
        if number in versions  # one that was saved while we read is left to the next report
    )


def _branches(points: Iterable[Point], versions: Mapping[int, Outline]) -> tuple[tuple[Point, ...], ...]:
    """Part points by the branch that their versions are on: a version goes on with its parent's, if it is the first."""
    found: dict[int, list[Point]] = {}
    branch: dict[int, int] = {}
    taken = set()
    for version in sorted(versions):
        parent = versions[version].parent
        branch[version] = version if parent is None or parent in taken else branch[parent]
        taken.add(parent)
    for point in points:
        found.setdefault(branch[point.version], []).append(point)
    return tuple(map(tuple, found.values()))


def _line(version: Version, versions: Mapping[int, Outline]) -> tuple[int, ...]:
    line = [version.version]
    while (parent := versions[line[-1]].parent) is not None:
        line.append(parent)
    return tuple(reversed(line))


def _moved(move: Move, versions: Mapping[int, Outline]) -> Moved:
    return Moved(
        ref=move.ref,
        kind=move.kind,
        old=move.old,
        new=move.new,
        old_events=None if move.old is None else versions[move.old].learned,
        new_events=versions[move.new].learned,
        who=move.who,
        why=move.why,
        at=move.at,
    )


def _passed(model: ModelStore, version: Version) -> tuple[Passed, ...]:
    return tuple(
        Passed(number, run.topic, run.partition, run.start, run.stop, "gap" if run.kind == "gap" else "skip")
        for number, run in model.passed_over(version.version)
    )
