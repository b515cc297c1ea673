"""A virtual environment for each contestant, made once and kept in `.bench/`. What cannot be had says why: `NotHad`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.benchmarks.cores import pinned

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".bench"
INSTALL_S_MAX = 300
RUN_S_MAX = 300


class NotHad(Exception):
    """A contestant that this machine cannot run, and why."""


def pins() -> dict[str, list[str]]:
    """Return what each environment needs."""
    read = tomllib.loads((HERE / "pins.toml").read_text(encoding="utf-8"))
    return {name: each["needs"] for name, each in read.items()}


def interpreter(name: str) -> Path:
    """Return the Python of a contestant's environment, which is made if it is not there. Raises `NotHad`."""
    needs = pins()[name]
    mark = hashlib.sha256(json.dumps([needs, sys.version]).encode()).hexdigest()[:10]
    folder = KEPT / f"{name}-{mark}"
    python = folder / "bin" / "python"
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=uv() is None)
        install = [uv(), "pip", "install", "-q", "--python"] if uv() else []
        words = [*install, str(python)] if install else [str(python), "-m", "pip", "install", "-q"]
        _run([*map(str, words), *needs], INSTALL_S_MAX, "installing")
        (folder / "done").touch()
    return python


def uv() -> str | None:
    """Return the command uv, which is faster than pip, where it is."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")


def run_script(name: str, script: str, given: dict[str, Any], cores: Collection[int] | None) -> dict[str, Any]:
    """Run a script in its environment on these cores; return the JSON of its last line. Raises `NotHad`."""
    python = interpreter(name)
    with pinned(cores):
        told = _run([str(python), str(HERE / "scripts" / f"{script}.py"), json.dumps(given)], RUN_S_MAX, "running")
    try:
        found: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise NotHad(f"expected JSON at the end of what {script} prints, found {told[-200:]!r}") from None
    return found


def _run(words: list[str], s_max: float, what: str) -> str:
    """Run a command and return what it prints. Raises `NotHad` with the end of its errors."""
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            timeout=s_max,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    except subprocess.TimeoutExpired:
        raise NotHad(f"{what} it did not end within {s_max:.0f} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise NotHad(f"{what} it failed: {last[:200]}")
    return done.stdout
