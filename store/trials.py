"""Trials: what a backtest found out of each candidate, and while it is under way, all that it needs to go on.

The key of a trial is a hash of all that determines its result; so the trial of a run that did not end well can be
taken up by a later run, and what was done is not done again.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import zstandard
from sqlalchemy import Connection, Row, Select, func, select, update

from store.dialects import insert
from store.envelope import ENVELOPE_BYTES_MAX
from store.errors import Refused, StoreError
from store.history import History
from store.processes import gone
from store.running import Outcome
from store.schema import runs, trials


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate of the backtest with this run, without its bytes.

    `recipe` is as the user wrote it, `identity` its canonical form; `key` is hexadecimal. `place` tells how far it is,
    `result` what it found so far: plain values. `at` is when it was put.
    """

    run: int
    number: int
    name: str
    recipe: str
    identity: str
    key: str
    outcome: Outcome
    place: Mapping[str, Any]
    result: Mapping[str, Any]
    at: datetime


class Trials(History):
    """The trials of one model's backtests. The model need not have a version."""

    def put_trial(
        self,
        run: int,
        number: int,
        *,
        name: str,
        recipe: str,
        identity: str,
        key: str,
        outcome: Outcome,
        place: Mapping[str, Any],
        state: bytes | None,
        result: Mapping[str, Any],
        values: bytes | None,
        now: datetime,
    ) -> None:
        """Keep a trial, in the place of what was kept of it before: place, state and values go together.

        Raises Refused for a run that is not the model's, StoreError for bytes that no database takes.
        """
        known = {"name": name, "recipe": recipe, "identity": identity, "key": key, "outcome": outcome, "place": place}
        kept = {**known, "result": result, "state": _pack(state), "scored": _pack(values), "at": now}
        mine = select(runs.c.run).where(runs.c.run == run, runs.c.model == self.name)
        with self._writing() as connection:
            if connection.scalar(mine) is None:
                raise Refused(
                    f"expected run {run} of model {self.name!r}, found none", hint="`tidemark runs` lists them"
                )
            made = insert(connection, trials).values(model=self.name, run=run, number=number, **kept)
            connection.execute(made.on_conflict_do_update(index_elements=["run", "number"], set_=kept))

    def trials(self, run: int) -> list[Trial]:
        """Return the trials of a run, by number."""
        with self._reading() as connection:
            return [_read(found) for found in connection.execute(_of_run(self.name, run).order_by(trials.c.number))]

    def trial_bytes(self, run: int, number: int) -> tuple[bytes | None, bytes | None]:
        """Return the state and the values of a trial. Raises Refused if there is none, StoreError if damaged."""
        query = select(trials.c.state, trials.c.scored).where(trials.c.model == self.name)
        with self._reading() as connection:
            found = connection.execute(query.where(trials.c.run == run, trials.c.number == number)).first()
        if found is None:
            raise Refused(f"expected trial {number} of run {run}, found none", hint="`tidemark runs show` lists them")
        return _unpack(found.state), _unpack(found.scored)

    def unfinished(self, key: str, *, host: str | None = None) -> Trial | None:
        """Return the newest trial with this key whose run did not end well, or None.

        Not if a later run with it was done: a further one begins anew. A run that says it is running counts only where
        its process on this host (`host`: else by its name) has ended; of other hosts that cannot be seen.
        """
        with self._reading() as connection:
            for found in connection.execute(_of_key(self.name, key)):
                if found.outcome_of_run != "running" or _dead(connection, found.run, host or socket.gethostname()):
                    return _read(found)
        return None


def forget_states(connection: Connection, model: str) -> None:
    """Delete what trials kept to go on with, where a run with the same key is done: none goes on from them.

    Their results and values stay.
    """
    done = select(runs.c.run).where(runs.c.model == model, runs.c.outcome == "done")
    later = trials.alias("later")
    again = select(later.c.run).where(later.c.key == trials.c.key, later.c.run >= trials.c.run, later.c.run.in_(done))
    old = update(trials).where(trials.c.model == model, trials.c.state.is_not(None), again.exists())
    connection.execute(old.values(state=None))


def _of_run(model: str, run: int) -> Select[Any]:
    return _columns().where(trials.c.model == model, trials.c.run == run)


def _columns() -> Select[Any]:
    return select(*(trials.c[name] for name in Trial.__slots__))


def _of_key(model: str, key: str) -> Select[Any]:
    """Return the query for the trials with a key that were not done, nor by a later run; the newest first."""
    mine = (trials.c.model == model) & (trials.c.key == key)
    done = select(func.max(trials.c.run)).join(runs, runs.c.run == trials.c.run).where(mine, runs.c.outcome == "done")
    since = func.coalesce(done.scalar_subquery(), 0)
    query = _columns().add_columns(runs.c.outcome.label("outcome_of_run")).join(runs, runs.c.run == trials.c.run)
    return query.where(mine, trials.c.run > since).order_by(trials.c.run.desc(), trials.c.number)


def _dead(connection: Connection, run: int, host: str) -> bool:
    """Tell whether the process of a run was of this host, and has ended."""
    found = connection.execute(select(runs).where(runs.c.run == run)).one()
    return found.host == host and gone(found.pid, found.pid_started)


def _read(found: Row[Any]) -> Trial:
    return Trial(*(getattr(found, name) for name in Trial.__slots__))


def _pack(value: bytes | None) -> bytes | None:
    """Compress bytes, with a checksum."""
    if value is None:
        return None
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(value)
    if len(packed) > ENVELOPE_BYTES_MAX:
        raise StoreError(
            f"expected a trial of at most {ENVELOPE_BYTES_MAX:,} bytes when compressed, found {len(packed):,}",
            hint="choose parameters that bound the model's size, or a shorter range",
        )
    return packed


def _unpack(packed: bytes | None) -> bytes | None:
    if packed is None:
        return None
    try:
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise StoreError(f"the bytes of a trial are damaged: {error}", hint="run the backtest again") from error
