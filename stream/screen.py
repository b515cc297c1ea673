"""What a running trainer shows: a progress line on a terminal, JSON logs elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

import structlog

from learners import Learner
from store.errors import OwnerAlive
from store.types import Ref, Version
from stream.errors import LearnerTainted, SnapshotLost
from stream.owner import Vitals
from stream.schema import EVENTS_TO_INFER
from stream.sources import logs_to_stderr

SHOW_S = 0.25
LOG_S = 10.0


class Screen(Protocol):
    """Where progress goes. Every method is cheap and never raises."""

    def settling(self, events: int) -> None:
        """So many events were read to settle the schema."""

    def waiting(self, alive: OwnerAlive) -> None:
        """Another trainer lives: we stand by."""

    def training(self, vitals: Vitals, learner: Learner) -> None:
        """Show a batch that was learned. Called after every batch."""

    def moved(self, head: Version, ref: Ref) -> None:
        """Head was moved by somebody else; training goes on from there."""

    def adopted(self, version: Version, before: Version | None) -> None:
        """Head was moved to a version from another; None: it descends from it already, and nothing was done."""

    def tainted(self, tainted: LearnerTainted) -> None:
        """Tell that an event ruined the model, and is held now; head was restored."""

    def lost(self, lost: SnapshotLost) -> None:
        """Tell that a version that was made in a forked process did not come about; head was restored."""

    def close(self) -> None:
        """Show the last state and let go."""


class Pace:
    """Events a second over the last few seconds, from cumulative counts."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._at = float("-inf")
        self._read: int | None = None
        self.events_per_s = 0.0

    def due(self, read: int) -> bool:
        """Tell whether it is time to show, and take the pace."""
        now = time.monotonic()
        if now - self._at < self._every_s:
            return False
        if self._read is not None and read >= self._read:
            self.events_per_s = (read - self._read) / (now - self._at)
        self._at, self._read = now, read
        return True


class LogScreen:
    """JSON logs on standard error, one line each LOG_S and at every change."""

    def __init__(self, model: str) -> None:
        logs_to_stderr()
        self._log: Any = structlog.get_logger().bind(model=model)
        self._pace = Pace(LOG_S)
        self._last: Vitals | None = None
        self._waits = False

    def settling(self, events: int) -> None:
        """Log it."""
        self._log.info("settling the schema", events=events)

    def waiting(self, alive: OwnerAlive) -> None:
        """Log it once."""
        if not self._waits:
            self._waits = True
            self._log.warning("standing by: another trainer lives", host=alive.host, pid=alive.pid)

    def training(self, vitals: Vitals, learner: Learner) -> None:
        """Log the vitals when a version was saved, with its scores, and at least every LOG_S."""
        saved = self._last is not None and vitals.version != self._last.version
        if vitals.detail and (self._last is None or vitals.detail != self._last.detail):
            self._log.warning(vitals.state, head=vitals.version, detail=vitals.detail)
        self._last = vitals
        if self._pace.due(vitals.read) or saved:
            self._log.info(
                "saved" if saved else vitals.state,
                head=vitals.version,
                read=vitals.read,
                learned=vitals.learned,
                held=vitals.held,
                lag=vitals.lag,
                events_per_s=round(self._pace.events_per_s, 1),
                scores=vitals.scores if saved else learner.scores(),
            )

    def moved(self, head: Version, ref: Ref) -> None:
        """Log it."""
        kind = head.kind if head.covers is None else "rebuild"
        self._log.warning("head was moved: following", head=head.version, moves=ref.moves, kind=kind)

    def adopted(self, version: Version, before: Version | None) -> None:
        """Log it."""
        if before is None:
            self._log.warning("head goes on from there already: nothing is taken up", version=version.version)
        else:
            self._log.info("taken up", head=version.version, before=before.version)

    def tainted(self, tainted: LearnerTainted) -> None:
        """Log it."""
        self._log.error("the model was ruined: head is restored, the event is held", event_at=str(tainted))

    def lost(self, lost: SnapshotLost) -> None:
        """Log it."""
        self._log.warning("training goes on from head: what was learned since is read again", why=str(lost))

    def close(self) -> None:
        """Log the end."""
        if self._last is not None:
            self._log.info("ended", read=self._last.read, learned=self._last.learned, held=self._last.held)


class LineScreen:
    """One line on a terminal that is written over, and lines that stay for what happens once."""

    def __init__(self, model: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

        self._console = Console(stderr=True)
        self._status = self._console.status(f"{model}: starting")
        self._status.start()
        self._model = model
        self._pace = Pace(SHOW_S)
        self._waits = False
        self._detail = ""

    def settling(self, events: int) -> None:
        """Show how far."""
        self._status.update(f"{self._model}: settling the schema, {events} of {EVENTS_TO_INFER} events")

    def waiting(self, alive: OwnerAlive) -> None:
        """Show whom we wait for."""
        if not self._waits:
            self._waits = True
            self._console.print(f"[yellow]another trainer lives[/] on {alive.host} (process {alive.pid}); standing by")

    def training(self, vitals: Vitals, learner: Learner) -> None:
        """Show the vitals and the scores of the window; a detail stays on the screen."""
        if vitals.detail and vitals.detail != self._detail:
            self._console.print(f"{vitals.state}: {vitals.detail}", style="yellow", markup=False, highlight=False)
        self._detail = vitals.detail
        if not self._pace.due(vitals.read):
            return
        scores = "  ".join(
            f"{name} [bold]{'-' if score['cumulative'] is None else format(score['cumulative'], '.4f')}[/]"
            for name, score in learner.scores().items()
        )
        lag = "" if vitals.lag is None else f"  lag {vitals.lag:,}"
        held = f"  held [red]{vitals.held:,}[/]" if vitals.held else ""
        self._status.update(
            f"{self._model}: {vitals.state}  head v{vitals.version}  learned [bold]{vitals.learned:,}[/]"
            f"{held}{lag}  {self._pace.events_per_s:,.0f}/s  {scores}"
        )

    def moved(self, head: Version, ref: Ref) -> None:
        """Say where training goes on."""
        rebuilt = "" if head.covers is None else f", rebuilt, stands for version {head.covers}"
        self._console.print(
            f"[yellow]head was moved[/] to version {head.version} (move {ref.moves}{rebuilt}); "
            f"training goes on from {head.accounts.learned:,} learned events"
        )

    def adopted(self, version: Version, before: Version | None) -> None:
        """Say what is trained now; take it back with `rollback --undo`."""
        self._console.print(
            f"head goes on from version {version.version} already: nothing to take up; to go back to it: "
            f"tidemark rollback {version.version} --rewind"
            if before is None
            else f"head is version {version.version} now (was {before.version}): training goes on from "
            f"{version.accounts.learned:,} learned events; take it back with: tidemark rollback --undo"
        )

    def tainted(self, tainted: LearnerTainted) -> None:
        """Say which event."""
        self._console.print(f"[red]the model was ruined[/]: head is restored, the event is held: {tainted}")

    def lost(self, lost: SnapshotLost) -> None:
        """Say it."""
        self._console.print(f"[yellow]{lost}[/]: training goes on from head, what was learned since is read again")

    def close(self) -> None:
        """Clear the line."""
        self._status.stop()


def open_screen(model: str) -> Screen:
    """Return the screen that fits where standard error goes."""
    return LineScreen(model) if sys.stderr.isatty() else LogScreen(model)
