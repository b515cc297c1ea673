"""The command log --moves: every move of a reference, and every resume."""

from __future__ import annotations

from pathlib import Path

from stream.commands.opened import opened_model, print_json, print_table

_MOVED = ("ref", "kind", "old", "new", "at", "who", "why")


def moves(path: Path, *, as_json: bool) -> None:
    """List the moves of references and the resumes, newest first: who, when, why."""
    keys = ("ref", "move", "kind", "old", "new", "who", "why", "at")
    with opened_model(path) as (config, model):
        found = [{key: getattr(move, key) for key in keys} for move in model.moves()]
        for each in model.resumes():
            at = (each.version, each.version, each.who, each.why, each.at)
            found.append(dict(zip(keys, ("head", None, "resume", *at), strict=True)))
    found = sorted(found, key=lambda entry: entry["at"])[::-1]
    if as_json:
        print_json([{**entry, "at": entry["at"].isoformat()} for entry in found])
        return
    lines = [tuple(f"{entry[key]:%m-%d %H:%M:%S}" if key == "at" else entry[key] for key in _MOVED) for entry in found]
    print_table(f"{config.model.name}: moves", ["ref", "kind", "from", "to", "at (UTC)", "who", "why"], lines)
