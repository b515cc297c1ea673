"""Who hears how far a backtest is, and may stop it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Interrupted(KeyboardInterrupt):
    """The journey was told to stop."""


class Hear(Protocol):
    """Who is told how far a journey is, and may stop it."""

    def advance(self, events: int) -> None:
        """Take notice of events read. Raises `Interrupted` when it is to stop."""

    def keep(self, place: int, states: Mapping[int, bytes]) -> None:
        """Keep the states of trials, by their numbers, before the stretch with the number `place`."""
