"""What can go wrong in a stream, each error with a hint and the exit code of its kind."""

from __future__ import annotations


class StreamError(Exception):
    """Base of this package's errors: what was expected and found, and in `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(StreamError):
    """A wrong or unknown setting, or one that changed for a model that has versions."""

    exit_code = 2


class LogMismatch(StreamError):
    """The log is not the one the position was made from: another identity, or another last record."""

    exit_code = 3


class LogLost(StreamError):
    """Events at a position are gone from the log."""

    exit_code = 3


class LogUnreachable(StreamError):
    """The broker does not answer, or the file cannot be read."""

    exit_code = 5


class OtherLineage(StreamError):
    """Head was moved to a version of another recipe or schema than the trainer was made for."""


class LearnerFailed(StreamError):
    """A model raises on event after event; what was saved before is untouched."""


class LearnerTainted(StreamError):
    """A model was ruined by an event: restore it from head, and go on without that event."""


class SnapshotLost(StreamError):
    """A version that was made in a forked process did not come about: go on from head, and make the next in line."""


class ModelRuined(StreamError):
    """A model that was to be saved can no longer answer what it could."""


class BreakerTripped(StreamError):
    """Too many events of a partition were held: a person is to look before any more is read."""

    exit_code = 3


class NotEqual(StreamError):
    """Verify found a difference."""
