"""The command resume: lets the trainer go on where a breaker had stopped it."""

from __future__ import annotations

from pathlib import Path

from stream.commands.opened import console, opened_model, print_json
from stream.errors import ConfigError
from stream.hold import hold_of, trip_of
from stream.owner import who


def resume(path: Path, *, reason: str, as_json: bool) -> None:
    """Let training go on from head; say what was held. Raises `ConfigError` if nothing holds it."""
    with opened_model(path) as (_, model):
        head, _ = model.head()
        if trip_of(head) is None:
            raise ConfigError(
                f"expected a head at which a breaker tripped, found version {head.version}: nothing is to be resumed",
                "see `tidemark status`",
            )
        before = model.resumed(head.version)
        model.resume(head.version, who=who(), why=reason)
        hold = hold_of(model, head)
    assert hold is not None, "it was looked at"
    if as_json:
        print_json({"version": head.version, **hold, "again": before is not None})
        return
    out = console()
    out.print(f"version {head.version}: {hold['why']}", highlight=False, markup=False)
    if before is not None:
        out.print(f"{before.who} resumed it at {before.at:%Y-%m-%d %H:%M:%S} UTC: nothing more is to be done")
        return
    out.print(
        "resumed: training goes on with the next event, and counts anew; a running trainer notices within a second"
    )
