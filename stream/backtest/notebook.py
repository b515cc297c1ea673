"""Backtests from Python: `backtest(...)` is the command, and gives what was found as frames.

The learning is done by a process of its own (`stream.backtest.child`), which has its hash seed pinned and imports
nothing of the caller's: it works from any script, with or without a guard, and from a notebook.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from stream.backtest.frame import Frame

Place = str | int | datetime
CHANGES = ("without", "skip_range", "shift", "noise", "drop")
"""What-ifs of which there may be several: one text, or a sequence of texts."""


class Backtested:
    """What a backtest found. `run` is the number of its run, `verdict` and `replays_live` are as in `--json`."""

    def __init__(self, found: Any, run: int) -> None:
        self.found = found
        self.run = run
        self.verdict: Mapping[str, Any] | None = found.verdict
        self.replays_live: bool | None = found.replays_live
        self.why: str | None = found.why

    @property
    def leaderboard(self) -> Frame:
        """A candidate a line, best first."""
        return self._frame("board_frame")

    @property
    def scores(self) -> Frame:
        """The scores at the end, a metric of a candidate or baseline a line."""
        return self._frame("scores_frame")

    @property
    def points(self) -> Frame:
        """The series of scores, by events learned in the range."""
        return self._frame("points_frame")

    @property
    def predictions(self) -> Frame:
        """What each candidate answered, an event a line; it was to be asked for."""
        if all(outcome.answers is None for outcome in self.found.outcomes.values()):
            from stream.errors import ConfigError  # noqa: PLC0415 - as below

            raise ConfigError("expected predictions, found that they were not kept", "backtest(…, predictions=True)")
        return self._frame("predictions_frame")

    def _frame(self, name: str) -> Frame:
        from stream.backtest import frames  # noqa: PLC0415 - importing `backtest` must not wait for river

        frame: Frame = getattr(frames, name)(self.found)
        return frame

    def plot(self, metric: str | None = None) -> Any:
        """Return the scores over events as a plotly.graph_objects.Figure; else of the metric that is compared."""
        from stream.backtest.plots import notebook_figure  # noqa: PLC0415

        return notebook_figure(self.found, metric)

    def __repr__(self) -> str:
        from stream.backtest import told  # noqa: PLC0415
        from stream.backtest.leaderboard import leaderboard  # noqa: PLC0415

        board = leaderboard(self.found)
        lines = [told.asked(self.found), *told.below(board), *told.verdict(self.verdict, board)]
        lines += [] if self.found.course is None else [told.check(self.found), *told.saved(self.found)]
        return "\n".join(lines)


def backtest(
    config: str | Path = "tidemark.toml",
    *,
    learners: str | Sequence[str] | Mapping[str, str] = (),
    candidates: str | Path | None = None,
    grids: str | Sequence[str] = (),
    necessity: bool = False,
    since: Place | None = None,
    until: Place | list[Place] | None = None,
    start: str | int | None = None,
    rollback_at: str | None = None,
    close: bool = True,
    save: bool = False,
    predictions: bool = False,
    workers: int | None = None,
    **whatif: Any,
) -> Backtested:
    """Replay a range of the log through one or more learners, and compare: `tidemark backtest`, with its options.

    `learners` are texts as `--learner` has them, or {name: text}. `since` and `until` are the command's `--from` and
    `--to`: an offset, "v:7", or a time; with `rollback_at` a list of the end, if there is one, and the version.
    What-ifs are named as the command's options: `without`, `skip_range`, `shift`, `noise`, `drop` (each a sequence of
    texts), `delay`, `order`, `seed`. `predictions`: keep what was answered. Raises what the command would exit with,
    such as `ConfigError`; KeyboardInterrupt keeps what is done, and the same call goes on where it was.
    """
    from stream.backtest.asked import ask  # noqa: PLC0415 - importing this must not wait for river

    ends = until if isinstance(until, list) else [until] if until is not None else []
    asked = ask(
        learners=_texts(learners),
        file=None if candidates is None else Path(candidates),
        grids=_texts(grids),
        necessity=necessity,
        since=_place(since),
        until=[str(_place(each)) for each in ends],
        start=None if start is None else str(start),
        rollback_at=rollback_at,
        close=close,
        save=save,
        answers=predictions,
        whatif={name: _texts(each) if name in CHANGES else each for name, each in whatif.items()},
    )
    return Backtested(*_carried_out(Path(config), asked, workers))


def _texts(given: str | Sequence[str] | Mapping[str, str]) -> tuple[str, ...]:
    """Return texts as the command takes them.

    >>> _texts("live"), _texts({"slow": "naive_bayes.GaussianNB()"})
    (('live',), ('slow = naive_bayes.GaussianNB()',))
    """
    if isinstance(given, Mapping):
        return tuple(f"{name} = {text}" for name, text in given.items())
    return (given,) if isinstance(given, str) else tuple(given)


def _place(given: Place | None) -> str | None:
    if given is None:
        return None
    return given.isoformat() if isinstance(given, datetime) else str(given)


def _carried_out(path: Path, ask: Any, workers: int | None) -> tuple[Any, int]:
    """Have it carried out by another process; show how far it is."""
    from stream.commands.progress import progress  # noqa: PLC0415

    with _child() as child:
        assert child.stdin is not None
        child.stdin.write(pickle.dumps((path, ask, workers)))
        child.stdin.close()
        kind, value = _told(child)
        if kind == "total":
            with progress("backtest", value) as advance:
                while (heard := _told(child))[0] == "events":
                    advance(heard[1])
            kind, value = heard
    if kind == "error":
        error, trace = value
        error.add_note(trace)
        raise error
    found, run = value
    return found, run


@contextmanager
def _child() -> Iterator[subprocess.Popen[bytes]]:
    """Begin the process. When this one is interrupted, that one is to stop, and is waited for."""
    places = os.pathsep.join(str(place or Path.cwd()) for place in sys.path)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "stream.backtest.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": places},
        start_new_session=True,  # an interrupt is told to it by us, once
    ) as child:
        try:
            yield child
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            _wait(child)
            raise
        except BaseException:
            child.kill()
            raise


def _wait(child: subprocess.Popen[bytes]) -> None:
    """Wait for its end. Whoever interrupts this, too, has waited enough."""
    assert child.stdout is not None
    try:
        child.stdout.read()
        child.wait()
    except KeyboardInterrupt:
        child.kill()
        raise


def _told(child: subprocess.Popen[bytes]) -> tuple[str, Any]:
    """Return the next thing that it tells."""
    assert child.stdout is not None
    try:
        kind, value = pickle.load(child.stdout)  # noqa: S301 - from a process of our own
    except EOFError:
        from stream.errors import StreamError  # noqa: PLC0415

        raise StreamError(
            f"the process of the backtest ended with {child.wait()}, and said nothing", "see its standard error"
        ) from None
    return kind, value
