"""A backtest in a process of its own, whose hash seed was pinned before it began: Python asks for it by pickles.

It reads what is asked on standard input, and tells on standard output: how many events there are, how many were read,
and at last what was found, or what went wrong. What a model prints goes to standard error.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def main() -> None:
    """Be that process."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)

        def tell(kind: str, value: Any) -> None:
            out.write(pickle.dumps((kind, value)))
            out.flush()

        try:
            path, ask, workers = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that began this one
            _go(path, ask, workers, tell)
        except BrokenPipeError:  # it is gone
            os._exit(1)
        except Exception as error:  # noqa: BLE001 - the boundary of the process: raised again in the other one
            tell("error", (_to_send(error), traceback.format_exc()))


def _go(path: Any, ask: Any, workers: int | None, tell: Callable[[str, Any], None]) -> None:
    from stream.commands.backtesting import carry_out, opened_anyway  # noqa: PLC0415 - its own children need none of it
    from stream.stop import Stop  # noqa: PLC0415

    @contextmanager
    def shown(_what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        tell("total", total)
        yield lambda events: tell("events", events)

    stop = Stop()
    stop.listen()
    with opened_anyway(path) as (config, model):
        tell("found", carry_out(config, model, ask, workers, stop, shown))


def _to_send(error: Exception) -> Exception:
    """Return an error that another process can read."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever it is that does not pickle
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main()
