"""What a version was made by: the versions of Python, river, numpy and the platform."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from stream.errors import ConfigError


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
