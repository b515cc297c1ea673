"""The command backtest: lay out, carry out, tell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store import ModelStore, Store
from stream.backtest.executor import executor
from stream.backtest.journey import Interrupted
from stream.backtest.run import Ask, Backtest, Found, told_of
from stream.commands.opened import console, print_json, print_table
from stream.commands.progress import progress
from stream.config import Config, read_config
from stream.runs import recorded
from stream.stop import Stop


def backtest(path: Path, ask: Ask, *, workers: int | None, as_json: bool) -> bool:
    """Carry out a backtest and tell what it found; False if it was interrupted, or live scores were not replayed."""
    stop = Stop()
    stop.listen()
    with opened_anyway(path) as (config, model):
        found, run = carry_out(config, model, ask, workers, stop)
    if as_json:
        print_json({**told(found), "run": run, "interrupted": stop.requested})
    else:
        tell(found)
        if stop.requested:
            console().print("interrupted: the same command goes on where it was", highlight=False)
    return not stop.requested and found.replays_live is not False


@contextmanager
def opened_anyway(path: Path) -> Iterator[tuple[Config, ModelStore]]:
    """Give the configuration and its model, which need not have a version; where there is no store it is made."""
    config = read_config(path)
    with Store.open(config.store_url, create=True) as store:
        yield config, store.model(config.model.name)


def carry_out(config: Config, model: ModelStore, ask: Ask, workers: int | None, stop: Stop) -> tuple[Found, int]:
    """Carry out a backtest as a recorded run; return what it found, and the number of the run."""
    run = None
    try:
        with recorded(model, config, "backtest") as run:
            made = Backtest(config, model, ask, run)
            hands = min(workers or os.cpu_count() or 1, len(made.candidates))
            try:
                with progress("backtest", made.total * hands) as advance:
                    found = made.go(executor(hands), hands, advance, lambda: stop.requested)
            finally:
                run.result.update(told(made.found()))
    except Interrupted:
        found = made.found()
    assert run is not None
    return found, run.run


def told(found: Found) -> dict[str, Any]:
    """Return what was found, as plain values."""
    course = found.course
    ends = None if course is None else {"from": _plain(course.begins), "to": _plain(course.ends)}
    first = found.outcomes.get(0)
    return {
        "events": found.events,
        "candidates": [
            told_of(found.candidates[number], found.recipes[number], outcome)
            for number, outcome in found.outcomes.items()
        ],
        "baselines": {} if first is None else first.baselines,
        "replays_live": found.replays_live,
        "why": found.why,
        "verdict": found.verdict,
        "range": ends,
        "start": None if course is None or course.start is None else course.start.version,
        "resumed": found.resumed,
    }


def _plain(ends: Any) -> dict[str, dict[str, int]]:
    return {topic: {str(p): offset for p, offset in each.items()} for topic, each in ends.items()}


def tell(found: Found) -> None:
    """Print the leaderboard, the verdict, and the check."""
    out = console()
    if found.course is None:
        out.print("nothing to backtest: the log has no event")
        return
    metrics = list(next(iter(found.outcomes.values())).scores) if found.outcomes else []
    lines = []
    for number, outcome in found.outcomes.items():
        scores = [outcome.scores[metric].get("cumulative") for metric in metrics]
        lines.append(
            (found.candidates[number].name, *scores, outcome.learned, f"{outcome.seconds:.1f} s", outcome.error or "")
        )
    first = found.outcomes.get(0)
    for name, scores_of in ({} if first is None else first.baselines).items():
        lines.append((name, *(scores_of[metric].get("cumulative") for metric in metrics), None, "", "baseline"))
    print_table(f"{found.events:,} events", ("candidate", *metrics, "learned", "took", ""), lines)
    for line in verdict_lines(found):
        out.print(line, highlight=False, markup=False)


def verdict_lines(found: Found) -> list[str]:
    """Say who is better, and whether the live scores were replayed."""
    word = {True: "equal", False: "NOT equal", None: "cannot tell"}[found.replays_live]
    why = f": {found.why}" if found.why else ""
    lines = [f"replays live: {word}{why}"]
    verdict = found.verdict
    if verdict is not None and len(verdict["candidates"]) > 1:
        best = verdict["best"]
        lines.append(f"best: {best}" if best else f"not distinguishable; {verdict['leader']} leads")
    return lines
