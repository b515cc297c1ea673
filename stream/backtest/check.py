"""The check of a backtest: whether the live learner, on its way as it was live, has exactly its live scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from stream.backtest.candidates import Candidate
from stream.backtest.stretch import Course
from stream.backtest.trial import Outcome
from stream.environment import differences, environment
from stream.errors import ConfigError


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the settings that changed since a model was trained.

    >>> changed({"model.task": "binary"}, {"model.task": "multiclass"})
    ['model.task']
    """
    return [key for key in {**then, **now} if then.get(key) != now.get(key)]


def check_start(
    course: Course | None, changes: Sequence[str], live: Collection[int], candidates: Sequence[Candidate], *, late: bool
) -> None:
    """Raise `ConfigError` if nobody can go on from the version to start from.

    `changes` are the settings that changed since, `live` the numbers of the candidates that are the live learner.
    `late`: labels are to come later, though they came along with their events.
    """
    start = None if course is None else course.start
    if start is None:
        return
    if changes:
        raise ConfigError(
            f"expected the configuration that version {start.version} was made by, found changes: {', '.join(changes)}",
            "set it back, or leave --start out",
        )
    if late:
        raise ConfigError(
            f"expected a version that was made with labels that come later for --delay, found version {start.version}, "
            "which learns each event at once",
            "leave --start out: with --delay all candidates begin untrained",
        )
    if not live:
        raise ConfigError(
            "expected the live learner among the candidates, since it alone goes on from --start; found "
            + ", ".join(candidate.name for candidate in candidates),
            "add --learner live",
        )


def replays_live(
    course: Course | None, changes: Sequence[str], live: Collection[int], outcomes: Mapping[int, Outcome]
) -> tuple[bool | None, str | None]:
    """Tell whether the live learner had exactly its live scores, None where that cannot be told; and why not."""
    if (why := _why_not(course, changes, live)) is not None:
        return None, why
    if not (checked := [outcomes[number] for number in live if number in outcomes]):
        return None, "the live learner did not get to the end"
    unequal = [outcome.error or outcome.unequal for outcome in checked if outcome.error or outcome.unequal]
    return not unequal, unequal[0] if unequal else None


def _why_not(course: Course | None, changes: Sequence[str], live: Collection[int]) -> str | None:
    """Say why nobody can tell; None if it can be told."""
    if course is None or not any(stretch.recorded for stretch in course.stretches):
        return "the range was never trained live"
    if not course.live:
        return (
            "the live learner had learned before the range, or none of its versions ends within: "
            "name versions, as --from v:2 --to v:5, with --start 2"
        )
    if changes:
        return f"the configuration changed since it was trained: {', '.join(changes)}"
    if not live:
        return "the live learner is not among the candidates: name it with --learner live"
    found = ((version.version, differences(version.environment, environment())) for version in course.live)
    return next((f"version {number} was made in another environment: {'; '.join(d)}" for number, d in found if d), None)
