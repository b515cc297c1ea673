"""The command report: what is known of a version and what led to it, as one HTML file, JSON, and words here."""

from __future__ import annotations

import importlib.util
import os
from datetime import UTC, datetime
from pathlib import Path

from stream.commands.opened import console, opened_model, print_json, print_table
from stream.errors import ConfigError, StreamError
from stream.report.gather import Report, gather
from stream.report.sections import parts
from stream.report.told import moment

EXTRA = ("jinja2", "plotly")
MOVES_TOLD = 5


def report(path: Path, selector: str, *, output: Path | None, as_json: bool) -> None:
    """Write the page and tell the main numbers; as JSON it is all numbers, and the page is written only if asked."""
    if output is not None or not as_json:
        require_extra()
    with opened_model(path) as (_, model):
        found = gather(model, selector, now=datetime.now(UTC))
    if output is not None or not as_json:
        output = output or Path("report.html")
        _write(found, output)
    if as_json:
        print_json(found)
        return
    _tell(found)
    console().print(f"\nwritten: {output}", highlight=False, markup=False, soft_wrap=True)


def require_extra() -> None:
    """Raise `ConfigError` where what a page needs is not installed."""
    for name in EXTRA:
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"expected the package {name} for the page, found none",
                "pip install 'tidemark[report]'; --json needs neither",
            )


def _write(found: Report, output: Path) -> None:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an extra

    from stream.report.page import render  # noqa: PLC0415 - needs the extra

    write_page(render(found, get_plotlyjs()), output, "-o")


def write_page(html: str, output: Path, option: str) -> None:
    """Write a page whole, or not at all; `option` names its file. Raises `StreamError`."""
    page = html.encode("utf-8", "replace")
    half = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        half.write_bytes(page)
        half.replace(output)  # whoever has it open sees the old page or the new one
    except OSError as error:
        half.unlink(missing_ok=True)
        raise StreamError(
            f"{output} cannot be written: {error.strerror}", f"name another file with {option}"
        ) from error


def _tell(found: Report) -> None:
    out = console()
    refs = " ".join(name for name, number in found.refs.items() if number == found.version)
    title = f"{found.model}: version {found.version} {refs}".rstrip()
    out.print(f"{title}, saved {moment(found.saved_at)}", highlight=False, markup=False)
    out.print(
        f"read {found.events['read']:,} = " + " + ".join(f"{name} {events:,}" for name, events, _ in parts(found)),
        highlight=False,
    )
    scored = {"model": found.scores, **found.baselines}
    spans = ("cumulative", "low", "high", "window")
    lines = [
        (name, metric, *(score.get(span) for span in spans))
        for name, scores in scored.items()
        for metric, score in scores.items()
    ]
    print_table("", ["", "metric", *spans], lines)
    for verdict in found.verdicts:
        out.print(verdict.words, highlight=False, markup=False)
    if found.held:
        print_table("\nheld", ["reason", "events"], [(held.reason, held.events) for held in found.held])
    if found.quarantine:
        told = [(e.entry, e.status, e.events, e.held, e.learned, e.which, e.why) for e in found.quarantine]
        print_table("\nquarantine", ["entry", "status", "events", "held", "learned", "which", "why"], told)
    if found.moves:
        last = list(reversed(found.moves))[:MOVES_TOLD]
        moves = [(move.kind, move.ref, move.old, move.new, moment(move.at), move.who, move.why) for move in last]
        print_table("\nlast moves", ["kind", "ref", "from", "to", "when", "who", "why"], moves)
