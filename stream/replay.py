"""Replay: what a version read, again, in recorded order; and the proof that it gives the same version.

Replay judges with the holds that were recorded, never with today's gate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from learners import Learner, LearnFailed, Sealed, read_recipe
from learners.errors import StateError
from store import ModelStore
from store.errors import BytesExpired, CorruptSnapshot
from store.types import Version
from stream.again import read_segment
from stream.config import Config
from stream.environment import differences, environment
from stream.errors import ConfigError, LogLost, LogMismatch, LogUnreachable, NotEqual
from stream.feed import Feed, check_topics
from stream.forms import why_rows
from stream.gate import open_gate
from stream.genesis import untrained
from stream.memory import details_of
from stream.schedule import events_max
from stream.schema import Schema
from stream.segment import reasons_of
from stream.tables import GateTable

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What verify found: equal, not equal, or None where it cannot tell; and why."""

    version: int
    equal: bool | None
    events: int
    why: str | None = None


def verify(store: ModelStore, feed: Feed, config: Config, version: Version, tell: Tell) -> Verification:
    """Recompute a version from its parent and compare predictions, golden predictions, scores and details, bit for bit.

    `tell` is called with the number of events replayed so far.
    """
    events = store.segment(version.version).events
    if found := differences(version.environment, environment()):
        return Verification(version.version, None, events, f"made in another environment: {'; '.join(found)}")
    if version.kind == "genesis" and _renewed(store, version):
        return Verification(
            version.version, None, events, "made with another configuration, before anything was learned"
        )
    try:
        if version.kind == "skip":
            return _verify_skip(store, version)
        _check_own_bytes(store, version)
        sealed = _recompute(store, feed, config, version, tell)
    except (ConfigError, LogLost, LogMismatch, LogUnreachable) as gone:
        return Verification(version.version, None, events, f"the log no longer has the events: {gone}")
    except (NotEqual, CorruptSnapshot, StateError, LearnFailed) as unequal:
        return Verification(version.version, False, events, str(unequal))
    why = _difference(version, sealed)
    return Verification(version.version, why is None, events, why)


def _renewed(store: ModelStore, genesis: Version) -> bool:
    """Tell whether another genesis version took the place of its line: the configuration was mended in between."""
    ended = [move.old for move in store.moves("head") if move.kind == "genesis" and move.old is not None]
    return any(store.lineage(old)[0].version == genesis.version for old in ended)


def _verify_skip(store: ModelStore, version: Version) -> Verification:
    """Compare bytes: a skip has its parent's, and read nothing."""
    assert version.parent is not None, "a skip has a parent"
    parent = store.version(version.parent)
    if version.blob is None or parent.blob is None:
        return Verification(version.version, None, 0, "the bytes of the version or its parent were expired")
    store.payload(version.version)
    equal = version.blob == parent.blob
    return Verification(version.version, equal, 0, None if equal else "its bytes are not its parent's")


def _check_own_bytes(store: ModelStore, version: Version) -> None:
    """Check the version's own bytes against its golden predictions, unless they were expired. Raises `StateError`."""
    if version.blob is not None:
        Learner.restore(store.payload(version.version), version.proof.golden)


def _recompute(store: ModelStore, feed: Feed, config: Config, version: Version, tell: Tell) -> Sealed:
    """Return the version as computed anew from its parent."""
    if version.parent is None:
        return _fresh(config, version).seal()
    learner = learner_at(store, feed, config, store.version(version.parent), tell)
    return replay_version(store, feed, config, version, learner, tell)


def _fresh(config: Config, genesis: Version) -> Learner:
    """Return the learner of a genesis version: nothing learned."""
    recipe = read_recipe(genesis.recipe, config.model.task, search_path=config.base)
    if recipe.identity != genesis.identity:
        raise LogMismatch("the recipe builds another model today than the version was made with")
    return untrained(config, recipe, Schema.from_json(genesis.schema))


def learner_at(store: ModelStore, feed: Feed, config: Config, version: Version, tell: Tell) -> Learner:
    """Return a version's learner: from its bytes, or replayed from its nearest ancestor that has them."""
    missing: list[Version] = []
    while version.blob is None:
        if version.parent is None:
            raise BytesExpired(version.model, version.version, None)
        missing.append(version)
        version = store.version(version.parent)
    learner = Learner.restore(store.payload(version.version), version.proof.golden)
    for child in reversed(missing):
        sealed = replay_version(store, feed, config, child, learner, tell)
        if child.kind != "skip" and (why := _difference(child, sealed)):
            raise NotEqual(f"version {child.version}, replayed since its bytes were expired, is not equal: {why}")
    return learner


def prove_lineage(store: ModelStore, feed: Feed, config: Config, version: Version, tell: Tell) -> str | None:
    """Learn all that a version's lineage learned in one go from genesis; say in what the version differs, or None."""
    lineage = store.lineage(version.version)
    learner = _fresh(config, lineage[0])
    learner.seal()
    for child in lineage[1:]:
        if child.kind != "skip":
            sealed = replay_version(store, feed, config, child, learner, tell)
            if why := _difference(child, sealed):
                return f"version {child.version}: {why}"
    return None


def refill(store: ModelStore, feed: Feed, config: Config, version: Version, tell: Tell) -> None:
    """Give a version its bytes again, after they expired. A skip gets its parent's, as they are."""
    if version.kind != "skip":
        store.refill(version.version, learner_at(store, feed, config, version, tell).seal().state)
        return
    assert version.parent is not None, "a skip has a parent"
    parent = store.version(version.parent)
    if parent.blob is None:
        refill(store, feed, config, parent, tell)
    store.refill(version.version, store.payload(parent.version))


def replay_version(
    store: ModelStore, feed: Feed, config: Config, version: Version, learner: Learner, tell: Tell
) -> Sealed:
    """Let the learner of a version's parent do what the version did, and learn its segment; seal it."""
    learner.strike(struck(version))
    match version.kind:
        case "closing":
            learner.close()
        case "freeze" | "thaw":
            learner.switch(static=version.kind == "freeze")
    segment = store.segment(version.version)
    check_topics(feed.topics, version)
    schema, then = Schema.from_json(version.schema), settings_then(store, version)
    columns = why_rows(config, version.recipe, schema) is None
    gate = open_gate(feed, config, schema, live=False, then=then, breaker=version.covers is None, columns=columns)
    gate.memory.recall(learner.beside)
    if gate.memory.tripped and version.kind != "skip":
        gate.memory.resume()  # else nothing would have come after it
    recorded = reasons_of(segment)
    held = replayed = 0
    for batch in read_segment(feed, segment, version.position, events_max=events_max(columns=columns)):
        verdicts = gate.replay(batch, recorded)
        verdicts.teach(learner)
        held += len(verdicts.held)
        replayed += len(batch)
        tell(len(batch))
    if replayed < segment.events:
        raise LogLost(f"expected {segment.events} events of version {version.version}, found {replayed}")
    expected = sum(segment.has_read(hold) for hold in segment.holds)
    if (replayed, held) != (segment.events, expected):
        raise NotEqual(
            f"the log changed: expected {segment.events} events with {expected} held, found {replayed} with {held}"
        )
    gate.memory.write(learner.beside)
    sealed = learner.seal()
    return replace(sealed, details={**sealed.details, **details_of(learner.beside)})


def struck(version: Version) -> list[int]:
    """Return the numbers of the events that were struck out before a version was made, along its lineage."""
    labels: Mapping[str, Any] = version.proof.details.get("labels", {})
    return list(labels.get("struck", ()))


def _difference(version: Version, sealed: Sealed) -> str | None:
    """Say in what the version and the recomputed one differ; None if equal."""
    proof = version.proof
    if sealed.digest != proof.digest:
        return "the predictions of its segment differ"
    if sealed.golden != proof.golden:
        return "the golden predictions differ"
    if sealed.scores != proof.scores:
        return "the scores differ"
    if sealed.baselines != proof.baselines:
        return "the scores of the baselines differ"
    if proof.details and sealed.details != proof.details:  # versions of before details were kept have none
        return "the details differ"
    return None


def settings_then(store: ModelStore, version: Version) -> GateTable | None:
    """Return by which settings the gate remembered when a version was made: those of its run. None: of no run."""
    run = next((each for each in store.runs() if each.run == version.run), None)
    if run is None:
        return None
    gate = {"duplicates": None, "breaker": False, **run.config.get("gate", {})}  # runs of old had neither
    return GateTable.model_validate({key: gate[key] for key in ("duplicates", "breaker")})
