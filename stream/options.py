"""Options that many commands take, and how a command ends that has a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Selector = Annotated[str, typer.Argument(metavar="V", help="A version's number, or a reference (head, champion).")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the log of moves.")]
TOML = Path("tidemark.toml")


def end(*, well: bool) -> None:
    """Exit with 1 unless all is well."""
    if not well:
        raise typer.Exit(1)
