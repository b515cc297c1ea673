"""Whether a process on this host is still the one that was meant: its number and when it started."""

from __future__ import annotations

import psutil

_STARTED_S_TOLERANCE = 2.0  # the kernel's boot time, which start times are counted from, shifts with the clock


def gone(pid: int, pid_started: float) -> bool:
    """Return whether the process ended. Its number may have been given to another one since; a zombie has ended.

    >>> import os
    >>> gone(os.getpid(), psutil.Process().create_time())
    False
    >>> gone(os.getpid(), 0.0)
    True
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - pid_started) > _STARTED_S_TOLERANCE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
