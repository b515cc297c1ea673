"""Branches of their own: versions that are saved beside head, and the move by which training takes one up.

What was saved beside head (by `backtest --save`) is a version as any other, with its parent and its segment; but no
reference moved, so nobody trains or serves it until it is adopted or promoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from store import held, refs, saves, scores, snapshots
from store.envelope import Blob, pack
from store.errors import NoSuchModel, Refused, StoreUnreachable
from store.history import History
from store.refs import Cause
from store.schema import models
from store.types import NewVersion, Ref, Version


class Branches(History):
    """The branches of one model that were saved beside head."""

    def save_beside(
        self, new: Sequence[NewVersion], who: str, *, config: Mapping[str, Any] | None = None
    ) -> list[Version]:
        """Write versions and move no reference, in one transaction; return them with their numbers.

        The parent None of one that is no genesis means the one before it in the sequence; a genesis may have another
        recipe than the model. Held events are kept where none is kept of them yet.

        For a model without versions `config` is needed, and the first must be a genesis: as `create` does, it makes
        the model with this configuration, and head stands there. Without it raises NoSuchModel.
        """
        assert new, "there is something to save"
        packed = [(each, pack(each.state)) for each in new]
        try:
            with self._writing() as connection:
                made: list[Version] = []
                if config is not None and refs.find(connection, self.name, refs.HEAD) is None:
                    first, blob = packed.pop(0)
                    now = self._clock()
                    made.append(saves.create(connection, self.name, first, blob, config=config, who=who, now=now)[0])
                return _save(connection, self.name, packed, made, self._clock())
        except StoreUnreachable:  # the connection may have been cut at the commit: look whether it was saved
            with self._writing() as connection:
                saved = _saved(connection, self.name, [each.token for each in new])
            if saved is None:
                raise
            return saved

    def adopt(self, version: int, *, config: Mapping[str, Any], who: str, why: str, expected: Ref) -> Ref:
        """Move head to any version: training goes on from there. `config` takes the place of the model's.

        Raises Fenced or HeadMoved when head is not as expected, Refused for a closing version, and BytesExpired.
        """
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            refs.check(refs.head(connection, self.name), expected)
            found = snapshots.numbered(connection, self.name, version)
            if found.kind == "closing":
                raise Refused(
                    f"expected a version that training can go on from, found the closing version {version}",
                    hint=f"take up its parent: version {found.parent}",
                )
            snapshots.require_bytes(connection, found)
            connection.execute(update(models).where(models.c.name == self.name).values(config=config))
            cause = Cause("adopt", who, why, self._clock())
            return refs.point(connection, self.name, refs.HEAD, version, cause, epoch=expected.epoch)


def _save(
    connection: Connection, model: str, packed: Sequence[tuple[NewVersion, Blob]], made: list[Version], now: datetime
) -> list[Version]:
    """Write versions after those that were made; return all of them."""
    snapshots.lock_model(connection, model)
    for new, blob in packed:
        parent = new.parent
        if parent is not None:
            snapshots.numbered(connection, model, parent)  # raises NoSuchVersion
        elif new.kind != "genesis":
            assert made, "the first of a sequence is a genesis, or names its parent"
            parent = made[-1].version
        version = snapshots.insert_new(connection, model, replace(new, parent=parent), blob, now=now, beside=True)
        held.add(connection, model, new.held)
        scores.add(connection, model, version.version, new.points)
        made.append(version)
    return made


def _saved(connection: Connection, model: str, tokens: Sequence[str]) -> list[Version] | None:
    """Return what an attempt with these tokens wrote, or None."""
    try:
        snapshots.lock_model(connection, model)
    except NoSuchModel:
        return None
    found = [snapshots.with_token(connection, model, token) for token in tokens]
    return [version for version in found if version is not None] if all(found) else None
