"""The score series: points belong to versions, so that a rollback takes its points along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from store import snapshots
from store.dialects import insert
from store.schema import score_points
from store.types import ScorePoint

AT_ONCE = 100
"""So many points are written at once: as text and plain values they take ten times their memory."""


def add(connection: Connection, model: str, version: int, points: Sequence[ScorePoint]) -> None:
    """Add points to a version; a point that is there already stays as it is."""
    for start in range(0, len(points), AT_ONCE):
        values = [
            {
                "model": model,
                "version": version,
                "events": point.events,
                "scores": point.scores,
                "baselines": point.baselines,
                "clock_us": point.clock_us,
            }
            for point in points[start : start + AT_ONCE]
        ]
        connection.execute(insert(connection, score_points).on_conflict_do_nothing(), values)


def has(connection: Connection, model: str, version: int, events: int) -> bool:
    """Tell whether a version has a point after so many events."""
    own = (score_points.c.model == model) & (score_points.c.version == version) & (score_points.c.events == events)
    return connection.scalar(select(score_points.c.events).where(own)) is not None


def along(connection: Connection, model: str, version: int, last: int | None = None) -> list[tuple[int, ScorePoint]]:
    """Return (version, point) for the lineage of a version, by events; at most the last so many."""
    snapshots.numbered(connection, model, version)
    line = snapshots.ancestry(model, version).subquery()
    of_line = select(score_points).where(score_points.c.version.in_(select(line.c.version)))
    newest = of_line.order_by(score_points.c.events.desc(), score_points.c.version.desc()).limit(last)
    return _read(connection, model, newest)[::-1]


def beside(connection: Connection, model: str, version: int) -> list[tuple[int, ScorePoint]]:
    """Return (version, point) of all versions that are not in the lineage of a version, by version and events."""
    snapshots.numbered(connection, model, version)
    line = snapshots.ancestry(model, version).subquery()
    others = select(score_points).where(score_points.c.version.not_in(select(line.c.version)))
    return _read(connection, model, others.order_by(score_points.c.version, score_points.c.events))


def _read(connection: Connection, model: str, query: Select[Any]) -> list[tuple[int, ScorePoint]]:
    return [
        (entry.version, ScorePoint(entry.events, entry.scores, entry.baselines or {}, entry.clock_us))
        for entry in connection.execute(query.where(score_points.c.model == model))
    ]
