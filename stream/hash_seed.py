"""The hash seed of commands that learn. Imports next to nothing: what was imported before it is pinned is lost."""

from __future__ import annotations

import os
import sys


def pin_hash_seed() -> None:
    """Execute this process anew with PYTHONHASHSEED=0, unless it has it: the order of sets must not change results."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - this very program, its own arguments
