"""What is asked of a backtest, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from learners import Recipe
from stream.backtest.candidates import Candidate
from stream.backtest.range import Wishes, ranges_of, rollback_of
from stream.backtest.stretch import Course
from stream.backtest.trial import Outcome
from stream.backtest.whatif import WhatIf, read_whatif

FORM = 2
"""Counts the forms of trials and outcomes: what was kept in another one is not gone on with."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked: which candidates, over which range, and what is done with them.

    `necessity`: the one candidate, and it without each of its features. `skip_versions`: what versions
    read that is not to be, as v:3..v:5. `rollback`: a place at which the model of a
    version takes over. `close`: pending labels are revealed at the end. `ranges`: several, each by
    itself, in place of the one wished for. `save`: what candidates came to is kept as
    versions. `answers`: what was answered to each event is kept.
    """

    learners: tuple[str, ...] = ()
    file: Path | None = None
    grids: tuple[str, ...] = ()
    necessity: bool = False
    wishes: Wishes = field(default_factory=Wishes)
    ranges: tuple[Wishes, ...] = ()
    whatif: WhatIf = field(default_factory=WhatIf)
    skip_versions: tuple[str, ...] = ()
    rollback: tuple[str, str] | None = None
    close: bool = True
    save: bool = False
    answers: bool = False


def ask(
    *,
    learners: Sequence[str] = (),
    file: Path | None = None,
    grids: Sequence[str] = (),
    necessity: bool = False,
    since: str | None = None,
    until: Sequence[str] = (),
    ranges: Sequence[str] = (),
    start: str | None = None,
    rollback_at: str | None = None,
    close: bool = True,
    save: bool = False,
    answers: bool = False,
    whatif: Mapping[str, Any] | None = None,
) -> Ask:
    """Read what a person wrote; `whatif` are the changes of the stream, see `read_whatif`. Raises `ConfigError`."""
    changes = dict(whatif or {})
    skipped = changes.pop("skip_range", ())
    rollback, end = rollback_of(rollback_at, until)
    return Ask(
        learners=tuple(learners),
        file=file,
        grids=tuple(grids),
        necessity=necessity,
        wishes=Wishes(since, end, start),
        ranges=ranges_of(ranges, alone=not (since or end or start or rollback_at or save)),
        whatif=read_whatif(skip_range=[text for text in skipped if not text.startswith("v:")], **changes),
        skip_versions=tuple(text for text in skipped if text.startswith("v:")),
        rollback=rollback,
        close=close,
        save=save,
        answers=answers,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a backtest found. `replays_live`: the live learner had exactly its live scores; None where nobody can tell.

    `resumed` is the run that had begun it; `changes` says what was changed in the stream, in words. `saved` are the
    versions that were made of candidates, by their numbers.
    """

    course: Course | None
    candidates: Sequence[Candidate]
    recipes: Sequence[Recipe]
    outcomes: Mapping[int, Outcome]
    verdict: Mapping[str, Any] | None
    replays_live: bool | None
    why: str | None
    resumed: int | None = None
    changes: Sequence[str] = ()
    saved: Mapping[int, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """Events read."""
        return max((outcome.read for outcome in self.outcomes.values()), default=0)


def told_of(candidate: Candidate, recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    """Return what is told of a candidate, as plain values."""
    return {
        "name": candidate.name,
        "learner": candidate.learner,
        "identity": recipe.identity,
        "drop": list(candidate.drop),
        "scores": outcome.scores,
        "learned": outcome.learned,
        "held": outcome.held,
        "pending": outcome.accounts[1],
        "expired": outcome.expired,
        "seconds": round(outcome.seconds, 3),
        "state_bytes": outcome.state_bytes,
        "error": outcome.error,
        "details": outcome.details,
    }
