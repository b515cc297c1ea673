"""From a backtest to production: what a candidate came to, as a version on a branch of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from learners import Recipe
from store import ModelStore
from store.types import Accounts, Cursor, NewVersion, Position, TopicPosition, Version
from stream.backtest.candidates import Candidate
from stream.backtest.stretch import Course, schema_of
from stream.backtest.trial import Outcome
from stream.backtest.whatif import WhatIf
from stream.config import Config
from stream.errors import ConfigError
from stream.genesis import genesis
from stream.owner import who

UNSAVED = 0
"""The number of a version that is not in the store yet."""


def check_saving(candidates: Sequence[Candidate], whatif: WhatIf, rolled: Collection[int]) -> None:
    """Raise `ConfigError` for what no version could tell of itself; `rolled` are rolled back on the way."""
    if rolled:
        raise ConfigError(
            "expected learners that learn all of the range for --save, found one that is rolled back on the way",
            "leave --rollback-at out; or roll head back in fact: tidemark rollback V --skip",
        )
    if replace(whatif, without=()) or any(candidate.drop for candidate in candidates):
        raise ConfigError(
            "expected events as the log has them for --save, found some that are changed: such a version could not be "
            "proved by the log",
            "leave the what-ifs out (all but --without), or --save",
        )


def beginnings(
    config: Config, course: Course, recipes: Sequence[Recipe], live: frozenset[int], run: int
) -> dict[int, NewVersion]:
    """Return, by number, the version that has learned nothing of each candidate that begins untrained."""
    topics = {
        topic: TopicPosition(_identity(course, topic), {p: Cursor(offset) for p, offset in each.items()})
        for topic, each in course.begins.items()
    }
    untrained = (n for n in range(len(recipes)) if course.start is None or n not in live)
    return {n: genesis(config, recipes[n], schema_of(course), Position(topics), run) for n in untrained}


def _identity(course: Course, topic: str) -> str:
    return next(stretch.position.topics[topic].identity for stretch in course.stretches)


def as_parent(model: ModelStore, new: NewVersion) -> Version:
    """Return a version as it will be in the store, for what is to follow it."""
    return Version(
        model=model.name,
        version=UNSAVED,
        kind=new.kind,
        parent=None,
        position=new.position,
        accounts=Accounts(),
        proof=new.proof,
        recipe=new.recipe,
        identity=new.identity,
        schema=new.schema,
        config_hash=new.config_hash,
        environment=new.environment,
        token=new.token,
        reason=new.reason,
        blob=None,
        size=0,
        created_at=datetime.now(UTC),
        run=new.run,
    )


def save(
    model: ModelStore,
    config: Config,
    outcomes: Mapping[int, Outcome],
    begun: Mapping[int, NewVersion],
    recipes: Sequence[Recipe],
    *,
    run: int,
    revision: int,
) -> dict[int, int]:
    """Keep what candidates came to, each after its own beginning; return the numbers of the versions."""
    saved = {}
    for number, outcome in outcomes.items():
        if outcome.new is None:
            continue
        new = replace(outcome.new, run=run, quarantine=revision)
        chain = [begun[number], replace(new, parent=None)] if number in begun else [new]
        fixed = config.fixed(recipes[number].identity)
        saved[number] = model.save_beside(chain, who(), config=fixed)[-1].version
    return saved
