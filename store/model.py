"""What the store keeps of one model. Every method is one transaction, and may be called from any thread.

All methods block until the database answers, and raise StoreUnreachable when it does not. Those that change
something have changed nothing when they raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from store import held, owners, refs, retention, runs, saves, scores, skips, snapshots
from store.branches import Branches
from store.envelope import Blob, pack
from store.errors import StoreUnreachable
from store.owners import Claimant
from store.rebuilds import Rebuilds
from store.resumes import Resumes
from store.running import Heartbeat, Outcome, RunRecord
from store.trials import Trials
from store.types import HeldEvent, Move, MoveKind, NewVersion, Ref, ScorePoint, Segment, Version


class ModelStore(Resumes, Rebuilds, Trials, Branches):
    """One model of a store: versions, references, owner, runs, held events, past, quarantine, rebuilds, backtests."""

    # -- versions

    def exists(self) -> bool:
        """Return whether the model has a version."""
        with self._reading() as connection:
            return refs.find(connection, self.name, refs.HEAD) is not None

    def config(self) -> Mapping[str, Any]:
        """Return the configuration that the model was created with."""
        with self._reading() as connection:
            return saves.config(connection, self.name)

    def create(self, genesis: NewVersion, *, config: Mapping[str, Any], who: str) -> tuple[Version, Ref]:
        """Make the model, version 1 and the reference head, in the epoch that was claimed (0: none was).

        Raises Refused if the model exists, and Fenced if the model was claimed by another run than the genesis's.
        """
        return self._surely(
            genesis, lambda on, blob, now: saves.create(on, self.name, genesis, blob, config=config, who=who, now=now)
        )

    def renew(self, genesis: NewVersion, *, config: Mapping[str, Any], who: str) -> tuple[Version, Ref]:
        """Put a new genesis version in the place of head's, which has learned nothing, with another configuration.

        Raises Refused if head has learned something; what was saved beside it may have.
        """
        return self._surely(
            genesis, lambda on, blob, now: saves.renew(on, self.name, genesis, blob, config=config, who=who, now=now)
        )

    def save(self, new: NewVersion, *, ref: Ref, who: str, publish: bool = False) -> tuple[Version, Ref]:
        """Write a version as a child of head, and move head (with `publish` champion, too) to it.

        Raises Fenced when the epoch is not `ref.epoch`, HeadMoved when head is not at `ref.moves`. A connection cut at
        the commit leaves it open whether it was saved: then the store looks. So what is returned was saved; and after
        StoreUnreachable the next read of head tells.
        """
        return self._surely(
            new,
            lambda on, blob, now: saves.save(on, self.name, new, blob, ref=ref, who=who, publish=publish, now=now),
        )

    def version(self, selector: int | str) -> Version:
        """Return a version by number (7, "7", "v7") or reference; raises NoSuchVersion or NoSuchModel."""
        with self._reading() as connection:
            return snapshots.selected(connection, self.name, selector)

    def versions(self) -> list[Version]:
        """Return all versions by number, abandoned ones too."""
        with self._reading() as connection:
            return snapshots.every(connection, self.name)

    def lineage(self, version: int) -> list[Version]:
        """Return the version and its ancestors, genesis first."""
        with self._reading() as connection:
            return snapshots.lineage(connection, self.name, version)

    def payload(self, version: int) -> bytes:
        """Return the learner's state, checked against its address; raises CorruptSnapshot or BytesExpired."""
        with self._reading() as connection:
            return snapshots.payload(connection, self.name, version)

    def refill(self, version: int, state: bytes) -> Version:
        """Give a version its bytes again after they expired: `state` was replayed, and proved equal by the caller."""
        blob = pack(state)
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            return snapshots.refill(connection, self.name, version, blob)

    def segment(self, version: int) -> Segment:
        """Return what the version read since its parent."""
        with self._reading() as connection:
            return snapshots.segment(connection, self.name, version)

    def add_points(self, version: int, points: Sequence[ScorePoint]) -> None:
        """Add to the score series of a version; a point with the same `events` stays as it is."""
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            snapshots.numbered(connection, self.name, version)
            scores.add(connection, self.name, version, points)

    def points(self, version: int, *, last: int | None = None) -> list[tuple[int, ScorePoint]]:
        """Return (version, point) along the lineage of a version, by events; at most the last so many."""
        with self._reading() as connection:
            return scores.along(connection, self.name, version, last)

    def has_point(self, version: int, events: int) -> bool:
        """Tell whether a version itself has a point of the score series after so many events."""
        with self._reading() as connection:
            return scores.has(connection, self.name, version, events)

    def held(self, *, limit: int | None = None) -> list[HeldEvent]:
        """Return held events by topic, partition and offset, at most `limit`."""
        with self._reading() as connection:
            return held.every(connection, self.name, limit)

    def held_count(self) -> int:
        """Return how many events are held."""
        with self._reading() as connection:
            return held.count(connection, self.name)

    def expire(self, *, keep_last: int, dry_run: bool, now: datetime) -> list[int]:
        """Delete the bytes of versions, never the versions; return which (with `dry_run`: would be).

        Kept: what references point to or a rebuild goes on from, genesis, the last `keep_last` by number, and the last
        of each day (UTC); of what was saved beside head, the end of each branch. States of finished trials go, too.
        """
        with self._writing() as connection:
            return retention.expire(connection, self.name, keep_last=keep_last, dry_run=dry_run, now=now)

    # -- references

    def head(self) -> tuple[Version, Ref]:
        """Return the version being trained and the reference to it, from one moment."""
        with self._reading() as connection:
            # Two reads: should head move in between, the version is still the one that the reference names.
            ref = refs.head(connection, self.name)
            return snapshots.numbered(connection, self.name, ref.version), ref

    def watch(self) -> Ref:
        """Return head's reference: one read by key, cheap enough for several times a second."""
        with self._reading() as connection:
            return refs.head(connection, self.name)

    def ref(self, name: str) -> Ref | None:
        """Return a reference, or None."""
        with self._reading() as connection:
            return refs.find(connection, self.name, name)

    def refs(self) -> list[Ref]:
        """Return all references by name."""
        with self._reading() as connection:
            return refs.every(connection, self.name)

    def moves(self, name: str | None = None) -> list[Move]:
        """Return the moves of one reference, or of all, oldest first."""
        with self._reading() as connection:
            return refs.logged(connection, self.name, name)

    def move(self, name: str, to: int, *, kind: MoveKind, who: str, why: str, expected: Ref | None = None) -> Ref:
        """Move a reference, or make it; head keeps its epoch, so that its owner follows.

        With `expected`, raises Fenced or HeadMoved when it is not there any more; without, it comes after whatever
        move wins a race. Raises Refused for head to where it never was, BytesExpired for a version without bytes.
        """
        with self._writing() as connection:
            cause = refs.Cause(kind, who, why, self._clock())
            return refs.move(connection, self.name, name, to, cause, expected=expected)

    def skip(self, to: int, *, who: str, why: str, environment: Mapping[str, str]) -> tuple[Version, Ref]:
        """Move head to a new child of `to` with its bytes, proof and accounts, and the stored head's position.

        Its segment is one skip run for each partition where head is further than `to`. Where `to` is further than
        head (head was moved back before it), its own position stays: nothing is learned twice.
        """
        with self._writing() as connection:
            cause = refs.Cause("skip", who, why, self._clock())
            return skips.skip(connection, self.name, to, cause, environment=environment)

    def undo(self, *, name: str = "head", who: str, why: str) -> Ref:
        """Take back the last move of a reference that was not made by training itself (save, publish, genesis).

        Undoing twice does the move again. Raises Refused when there is none, or when it was the one that made it.
        """
        with self._writing() as connection:
            return refs.undo(connection, self.name, name, refs.Cause("undo", who, why, self._clock()))

    # -- owners

    def claim(self, owner: Claimant, *, take_over: bool = False, now: datetime) -> int:
        """Become the owner of head, which need not exist yet; return the new epoch. Every older owner is fenced.

        Raises OwnerAlive while another run's heartbeat is fresh (10 s), unless it released the model, is a process of
        this host that ended, or `take_over` is given.
        """
        with self._writing() as connection:
            return owners.claim(connection, self.name, owner, take_over=take_over, now=now)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write a heartbeat; ignored when a newer epoch owns the model, or after `release`."""
        with self._writing() as connection:
            owners.beat(connection, self.name, heartbeat)

    def release(self, epoch: int, *, state: str, now: datetime) -> None:
        """Tell that this owner ended by itself, so that nobody waits for it; ignored when a newer epoch owns."""
        with self._writing() as connection:
            owners.release(connection, self.name, epoch, state=state, now=now)

    def heartbeat(self) -> Heartbeat | None:
        """Return the last heartbeat, or None when the model never had an owner."""
        with self._reading() as connection:
            return owners.last_heartbeat(connection, self.name)

    def owned(self, *, host: str, now: datetime) -> bool:
        """Return whether a trainer runs, as far as can be seen from this host: it beats, and its process is there."""
        with self._reading() as connection:
            return owners.alive(connection, self.name, host=host, now=now)

    # -- runs

    def start_run(
        self,
        *,
        command: str,
        config_hash: str,
        config: Mapping[str, Any],
        environment: Mapping[str, str],
        host: str,
        pid: int,
        pid_started: float,
        now: datetime,
        result: Mapping[str, Any] | None = None,
    ) -> int:
        """Write that a command runs, and what is known already; return its number. The model need not exist."""
        run = {
            "model": self.name,
            "command": command,
            "config_hash": config_hash,
            "config": config,
            "environment": environment,
            "host": host,
            "pid": pid,
            "pid_started": pid_started,
            "started_at": now,
            "result": result or {},
        }
        with self._writing() as connection:
            return runs.start(connection, run)

    def note_run(self, run: int, result: Mapping[str, Any]) -> None:
        """Write what is known of a run before it ends."""
        with self._writing() as connection:
            runs.note(connection, self.name, run, result)

    def end_run(
        self, run: int, *, outcome: Outcome, error: str | None, result: Mapping[str, Any] | None, now: datetime
    ) -> None:
        """Write how a run ended; told again, the last word counts. Without a result, that of its start stays."""
        with self._writing() as connection:
            runs.end(connection, self.name, run, outcome=outcome, error=error, result=result, now=now)

    def mark_lost(self, *, host: str, now: datetime) -> list[int]:
        """Mark runs as lost whose process on this host ended without a word; return them."""
        with self._writing() as connection:
            return runs.mark_lost(connection, self.name, host=host, now=now)

    def mark_replaced(self, run: int, *, by: int, now: datetime) -> None:
        """Mark the run of an owner that was replaced as lost, if it never said how it ended: it may be of any host."""
        if run != by and any(record.run == run and record.outcome == "running" for record in self.runs()):
            self.end_run(run, outcome="lost", error=None, result=None, now=now)

    def runs(self) -> list[RunRecord]:
        """Return all runs, oldest first, failures too."""
        with self._reading() as connection:
            return runs.every(connection, self.name)

    def _surely(
        self, new: NewVersion, write: Callable[[Connection, Blob, datetime], tuple[Version, Ref]]
    ) -> tuple[Version, Ref]:
        """Write a version; when the connection is cut, look whether it was saved all the same."""
        blob = new.packed or pack(new.state)
        try:
            with self._writing() as connection:
                return write(connection, blob, self._clock())
        except StoreUnreachable:
            with self._writing() as connection:
                saved = saves.saved(connection, self.name, new.token)
            if saved is None:
                raise
            return saved
