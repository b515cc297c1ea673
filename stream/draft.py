"""A draft: a learner that was written down after a segment, of which a version is made here or elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from learners import Learner, Point, Sealed
from learners.golden import sound_inputs
from learners.written import Written
from store.types import NewVersion, Proof, ScorePoint, VersionKind
from stream.environment import environment
from stream.errors import ModelRuined
from stream.lazy import Lazy
from stream.memory import details_of
from stream.segment import OpenSegment

Prove = Callable[[Written], Sealed]
"""Proves what was written down, here or elsewhere."""


def new_version(
    learner: Learner, segment: OpenSegment, run: int | None, config_hash: str, reason: str, kind: VersionKind = "save"
) -> NewVersion:
    """Seal the learner and return the version that follows the segment's parent. Raises `ModelRuined`."""
    new = draft(learner, segment, run, config_hash, reason, kind)()
    learner.doubt.sealed(sound_inputs(new.proof.golden))
    return new


def draft(
    learner: Learner,
    segment: OpenSegment,
    run: int | None,
    config_hash: str,
    reason: str,
    kind: VersionKind,
    prove: Prove = Written.proved,
) -> Callable[[], NewVersion]:
    """Write the learner down; return what makes the version that follows the segment's parent, in any thread.

    That raises `ModelRuined`, and what `prove` raises.
    """
    written, beside = learner.write(), details_of(learner.beside)

    def version() -> NewVersion:
        sealed, parent = prove(written), segment.parent
        if sealed.ruin is not None:
            raise ModelRuined(sealed.ruin, "roll back to a version from before it was ruined")
        return NewVersion(
            kind=kind,
            parent=parent.version,
            state=sealed.state,
            position=segment.position(),
            segment=segment.segment(),
            accounts=segment.accounts(),
            proof=Proof(sealed.digest, sealed.golden, sealed.scores, sealed.baselines, {**sealed.details, **beside}),
            recipe=parent.recipe,
            identity=parent.identity,
            schema=parent.schema,
            config_hash=config_hash,
            environment=environment(),
            token=uuid.uuid4().hex,
            reason=reason,
            points=score_points(sealed.points),
            held=tuple(segment.held),
            run=run,
        )

    return version


def score_points(points: Sequence[Point]) -> Sequence[ScorePoint]:
    """Return points of the series as the store keeps them: each is made when it is written."""
    return Lazy(points, _score_point)


def _score_point(point: Point) -> ScorePoint:
    return ScorePoint(point.learned, point.scores, point.baselines, point.clock_us)
