"""Stopping a process: the first signal asks, the second leaves at once."""

from __future__ import annotations

import os
import signal
from types import FrameType


class Stop:
    """Whether to stop. SIGTERM and SIGINT ask for it once `listen` was called."""

    def __init__(self) -> None:
        self.requested = False

    def listen(self) -> None:
        """Take the signals of this process."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            os._exit(128 + number)
        self.requested = True
