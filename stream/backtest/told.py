"""How a backtest is told: as plain values for programs, and in words and tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stream.backtest.asked import Found, told_of
from stream.backtest.leaderboard import Gap, Leaderboard, Line
from stream.log import Ends
from stream.report.told import count, duration, score

LINES_MAX = 30
"""Candidates that a table shows; --json and --csv have all."""
NAMES_MAX = 8
"""Names in one sentence."""
TESTS_MAX = 3
"""Candidates whose test at a fixed end is told: those next to the leader."""
SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def plain(found: Found) -> dict[str, Any]:
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
        "changes": list(found.changes),
        "saved": {found.candidates[number].name: version for number, version in found.saved.items()},
        "resumed": found.resumed,
    }


def plain_all(several: Sequence[Found]) -> dict[str, Any]:
    """Return what was found of each range, as plain values: of one as `plain`, of several together and one by one."""
    ranges = [plain(found) for found in several]
    if len(ranges) == 1:
        return ranges[0]
    replayed = {each["replays_live"] for each in ranges}
    return {
        "events": sum(each["events"] for each in ranges),
        "candidates": [
            {**candidate, "range": number} for number, each in enumerate(ranges) for candidate in each["candidates"]
        ],
        "replays_live": False if False in replayed else True if True in replayed else None,
        "ranges": ranges,
    }


def _plain(ends: Ends) -> dict[str, dict[str, int]]:
    return {topic: {str(p): offset for p, offset in each.items()} for topic, each in ends.items()}


def asked(found: Found) -> str:
    """Say what was asked: which events, from which learner on, and what was changed in them."""
    course = found.course
    if course is None:
        return "nothing to backtest: the log has no event"
    begun = "untrained at first" if course.start is None else f"the live learner from version {course.start.version} on"
    read = ", ".join(
        f"{topic}[{p}] {count(course.begins.get(topic, {}).get(p, 0))} to {count(end)}"
        for topic, each in course.ends.items()
        for p, end in each.items()
    )
    changes = "".join(f"; {change}" for change in found.changes)
    again = f"; goes on with run {found.resumed}" if found.resumed is not None else ""
    return f"{count(found.events)} events: {read}, {begun}{changes}{again}"


def columns(board: Leaderboard) -> tuple[str, ...]:
    """Return the columns of the table: what is compared stands first, as a narrow terminal leaves out the last."""
    metrics = [name if span == "cumulative" else f"{name} ({span})" for name, span in board.spans.items()]
    unit = "" if board.compared in {board.metric, None} else f" ({board.compared})"
    first = min(len(metrics), 1)
    return (
        "candidate",
        *metrics[:first],
        f"to the leader{unit}",
        "regret",
        *metrics[first:],
        "learned",
        "took",
        "state",
    )


def table(board: Leaderboard) -> list[tuple[Any, ...]]:
    """Return the lines of the table, a cell a column; baselines stand below."""
    return [_cells(line) for line in (*board.lines[:LINES_MAX], *board.baselines)]


def _cells(line: Line) -> tuple[Any, ...]:
    scores = list(line.scores.values())
    first = min(len(scores), 1)
    if line.outcome is None:
        return (line.name, *scores[:first], "baseline", "", *scores[first:], None, "", "")
    to_leader = "failed" if line.error else "leads" if line.leads else gap(line.gap)
    took, state = duration(line.outcome.seconds), size(line.outcome.state_bytes or None)
    return (
        line.name,
        *scores[:first],
        to_leader,
        regret(line.regret),
        *scores[first:],
        line.outcome.learned,
        took,
        state,
    )


def regret(value: float | None) -> str:
    """Write a regret; that of Accuracy counts events.

    >>> regret(1695.0), regret(3.25), regret(None)
    ('1,695', '3.2500', '-')
    """
    return count(int(value)) if value is not None and value == int(value) else score(value)


def gap(found: Gap | None) -> str:
    """Write a distance to the leader.

    >>> gap(Gap(-0.0123, -0.02, -0.005, None)), gap(Gap(0.5, None, None, "no bound")), gap(None)
    ('-0.0123 (-0.0200 to -0.0050)', '+0.5000', '')
    """
    if found is None:
        return ""
    interval = "" if found.low is None or found.high is None else f" ({score(found.low)} to {score(found.high)})"
    return f"{'+' if found.difference > 0 else ''}{score(found.difference)}{interval}"


def size(octets: int | None) -> str:
    """Write a number of bytes.

    >>> size(1_234_567), size(999), size(None)
    ('1.2 MB', '999 B', '-')
    """
    if octets is None:
        return "-"
    return next((f"{octets / unit:.1f} {name}" for unit, name in SIZES if octets >= unit), f"{octets} B")


def below(board: Leaderboard) -> list[str]:
    """Say what stands below the table: what was cut, and what failed."""
    rest = len(board.lines) - LINES_MAX
    lines = [f"(and {count(rest)} more: --json and --csv have all)"] if rest > 0 else []
    failed = [line for line in board.lines if line.error]
    lines += [f"failed: {line.name}: {line.error}" for line in failed[:NAMES_MAX]]
    return lines + ([f"failed: {len(failed) - NAMES_MAX} more"] if len(failed) > NAMES_MAX else [])


def verdict(found: Mapping[str, Any] | None, board: Leaderboard) -> list[str]:
    """Say who is better than whom, as far as it can be told, and by which right."""
    done = [line for line in board.lines if not line.error]
    if len(done) < 2:  # noqa: PLR2004 - one alone is compared with nothing
        return []
    if found is None:
        return ["no verdict: none of the metrics is a mean of one value an event, such as Accuracy, MAE or LogLoss"]
    leader = found["leader"]
    if leader is None:
        return [f"no verdict: {found['why']}"]
    against = _against(found, [line.name for line in done])
    worse = [name for name, pair in against.items() if pair["better"] == leader]
    open_ = [name for name, pair in against.items() if pair["better"] != leader]
    by = f"by {found['metric']} on {count(found['common'])} events, all pairs at once, at every look"
    by += f" ({100 * found['level']:g} %)"
    if worse:
        told = f"{leader} is better than {names(worse)}" + (
            f"; not distinguishable from {names(open_)}" if open_ else ""
        )
    else:
        told = f"no candidate is distinguishable from the best, {leader}"
    reasons = dict.fromkeys(pair["why"] for pair in against.values() if pair["why"])
    return [f"{told} ({by})", *(f"no interval: {why}" for why in [*reasons][:TESTS_MAX]), *_tests(leader, against)]


def _against(found: Mapping[str, Any], order: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the pair of the leader with each other candidate, in order."""
    pairs = {frozenset((pair["a"], pair["b"])): pair for pair in found["pairs"]}
    known = {name: pairs.get(frozenset((found["leader"], name))) for name in order if name != found["leader"]}
    return {name: pair for name, pair in known.items() if pair is not None}


def _tests(leader: str, against: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Tell the tests of the leader with those next to it."""
    tested = {name: pair["test"] for name, pair in against.items() if pair["test"] is not None}
    told = [f"{name} p = {test['p_holm']:.2g}" for name, test in [*tested.items()][:TESTS_MAX]]
    if not told:
        return []
    kind = next(iter(tested.values()))["name"]
    return [f"at this end alone, had it been fixed beforehand: {kind} (Holm), {leader} against {', '.join(told)}"]


def names(found: Sequence[str]) -> str:
    """Write names, the first few.

    >>> names(["a", "b"]), names("abcdefghij")
    ('a, b', 'a, b, c, d, e, f, g, h and 2 more')
    """
    more = f" and {len(found) - NAMES_MAX} more" if len(found) > NAMES_MAX else ""
    return ", ".join(found[:NAMES_MAX]) + more


def saved(found: Found) -> list[str]:
    """Say which versions were made."""
    made = [f"{found.candidates[number].name} as version {version}" for number, version in found.saved.items()]
    return [f"saved beside head: {names(made)}"] if made else []


def check(found: Found) -> str:
    """Say whether the live scores were replayed, and how many versions and events were compared."""
    versions = max((outcome.live for outcome in found.outcomes.values()), default=0)
    if found.replays_live is None or found.course is None:
        return f"replays live: cannot tell: {found.why}"
    first, last = found.course.start, found.course.live[-1]
    events = last.accounts.read - (0 if first is None else first.accounts.read)
    if found.replays_live:
        compared = f"the predictions and scores of {count(versions)} versions over {count(events)} events"
        return f"replays live: equal ({compared})"
    of = f"{count(versions)} of {count(len(found.course.live))} versions compared"
    return f"replays live: NOT equal: {found.why} ({of})"
