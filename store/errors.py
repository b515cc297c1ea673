"""What the store refuses or cannot do: each error says what was expected, what was found, and in `hint` what to do.

`exit_code` is what the command line ends with: 1 failed, 2 wrong usage, 4 head moved or fenced, 5 store out of reach.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar


class StoreError(Exception):
    """The base of all errors of the store. Nothing was written when one is raised, unless it says otherwise."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Refused(StoreError):
    """What was asked for cannot be done with what is in the store."""

    exit_code = 2


class StoreUnreachable(StoreError):
    """The database did not answer, or answered that it is busy for longer than the store waits."""

    exit_code = 5


class StoreMissing(StoreError):
    """There is no store at this address."""

    exit_code = 2

    def __init__(self, address: str) -> None:
        super().__init__(
            f"expected a store at {address}, found none", hint="`tidemark train` creates it; or correct [store] url"
        )


class StoreNewer(StoreError):
    """The store's schema was written by a newer program."""

    exit_code = 2

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            f"expected a store of schema revision {known} or older, found revision {found}",
            hint="this program is older than the store: install a newer tidemark",
        )
        self.found, self.known = found, known


class StoreOlder(StoreError):
    """The store's schema must be migrated first."""

    exit_code = 2

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            f"expected a store of schema revision {known}, found the older revision {found}",
            hint="run `tidemark db upgrade`",
        )
        self.found, self.known = found, known


class RebuildOutdated(StoreError):
    """A rebuild cannot go on: head, the quarantine or another process moved on."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="head is as it was; see what changed, and rebuild again: `tidemark rebuild`")


class NoSuchModel(StoreError):
    """The store has no model of this name."""

    exit_code = 2

    def __init__(self, model: str) -> None:
        super().__init__(
            f"expected model {model!r} in the store, found no version of it",
            hint="`tidemark train` creates it; or correct [model] name",
        )
        self.model = model


class NoSuchVersion(StoreError):
    """The model has no version of this number, or no reference of this name."""

    exit_code = 2

    def __init__(self, model: str, selector: int | str) -> None:
        super().__init__(
            f"expected a version or reference {selector!r} of model {model!r}, found none",
            hint="`tidemark log` lists the versions and references",
        )
        self.model, self.selector = model, selector


class CorruptSnapshot(StoreError):
    """The bytes of a version are not what was saved."""

    def __init__(self, model: str, version: int, blob: str, why: str) -> None:
        super().__init__(
            f"version {version} of model {model!r}: its bytes (blob {blob}) are damaged: {why}",
            hint="restore the store from a backup, or roll back to another version: `tidemark rollback V --rewind`",
        )
        self.model, self.version, self.blob = model, version, blob


class BytesExpired(StoreError):
    """The bytes of a version were deleted by `expire`; its lineage, scores and segment are still there."""

    def __init__(self, model: str, version: int, expired_at: datetime | None) -> None:
        when = f" on {expired_at:%Y-%m-%d %H:%M} UTC" if expired_at else ""
        super().__init__(
            f"version {version} of model {model!r}: its bytes were deleted by retention{when}",
            hint="choose a version that `tidemark log` lists with bytes",
        )
        self.model, self.version, self.expired_at = model, version, expired_at


class HeadMoved(StoreError):
    """A reference is not where the writer expected it: another process moved it."""

    exit_code = 4

    def __init__(self, ref: str, *, expected: int, found: int) -> None:
        super().__init__(
            f"expected reference {ref!r} at move {expected}, found it at move {found}",
            hint="it was moved meanwhile: read it again, and go on from there",
        )
        self.ref, self.expected, self.found = ref, expected, found


class Fenced(StoreError):
    """Another trainer took over: a newer epoch owns head."""

    exit_code = 4

    def __init__(self, *, expected: int, found: int) -> None:
        super().__init__(
            f"expected to own head in epoch {expected}, found it owned in epoch {found}",
            hint="another trainer took over this model; `tidemark status` tells which",
        )
        self.expected, self.found = expected, found


class OwnerAlive(StoreError):
    """Another trainer owns this model, and its heartbeat is fresh."""

    exit_code = 4

    def __init__(self, model: str, *, host: str, pid: int, age: float) -> None:
        super().__init__(
            f"expected no other trainer of model {model!r}, "
            f"found one on {host} (process {pid}) with a heartbeat {age:.1f} s old",
            hint="stop it, wait until its heartbeat is old, or take over with --take-over",
        )
        self.model, self.host, self.pid, self.age = model, host, pid, age
