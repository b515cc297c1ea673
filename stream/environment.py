"""What a version was made by: the versions of Python, river, numpy and the platform."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from stream.errors import ConfigError

GIT_S_MAX = 1.0
"""So long git may take: a run does not wait for it."""


@cache
def environment() -> Mapping[str, str]:
    """Return what bit-equal results depend on. Asked at every save, it is looked up once."""
    return {
        "python": platform.python_version(),
        "river": version("river"),
        "numpy": version("numpy"),
        "platform": f"{platform.system()} {platform.machine()}",
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
    }


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Say what differs, a sentence each.

    >>> differences({"river": "0.26.1"}, {"river": "0.27.0"})
    ['river 0.26.1 then, 0.27.0 now']
    """
    return [f"{key} {then[key]} then, {now.get(key, 'none')} now" for key in sorted(then) if then[key] != now.get(key)]


def require_same(then: Mapping[str, str], what: str) -> None:
    """Raise `ConfigError` if `what` was made in another environment than this one."""
    if found := differences(then, environment()):
        raise ConfigError(
            f"expected the environment that {what} was made in, found another: {'; '.join(found)}",
            "install those versions again, or go on with --accept-environment: golden predictions are checked",
        )


def commit_of(folder: Path) -> str | None:
    """Return the git commit of a folder, with "+dirty" if files that git knows have changed; None if there is none.

    Silent where git is missing, takes too long or does not answer: then nothing is known. It writes nothing.
    """
    asked = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            asked, capture_output=True, timeout=GIT_S_MAX, check=True, text=True, env=environ, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    if commit == "(initial)":
        return None
    return commit if all(line.startswith("#") for line in lines) else f"{commit}+dirty"
