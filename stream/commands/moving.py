"""Commands that move references, and what depends on where they are: rollback, promote, expire, export."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from store import ModelStore
from store.errors import BytesExpired
from store.export import write_export
from store.types import Ref, Version
from stream.commands.opened import console, opened_model, print_json
from stream.config import Config, in_toml
from stream.errors import ConfigError
from stream.hash_seed import pin_hash_seed
from stream.owner import who


def rollback(path: Path, selector: str | None, *, mode: str, ref: str, undo: bool, reason: str, as_json: bool) -> None:
    """Move head back (or another reference); a running trainer follows within a second."""
    if undo == (selector is not None):
        raise ConfigError(
            "expected either a version or --undo", "tidemark rollback V --rewind; tidemark rollback --undo"
        )
    if ref != "head" and mode == "skip":
        raise ConfigError(f'expected --skip with head only, found it with "{ref}"', "move other references without it")
    with opened_model(path) as (config, model):
        before = model.ref(ref)
        if before is None:
            names = ", ".join(each.name for each in model.refs())
            raise ConfigError(f'expected a reference to move back, found none named "{ref}"; there are {names}')
        if undo:
            moved = _undo(config, model, ref=ref, reason=reason)
        else:
            assert selector is not None
            moved = _roll_back(config, model, model.version(selector), mode=mode, ref=ref, reason=reason)
        _tell(model, before, moved, mode="undo" if undo else mode, as_json=as_json)


def _roll_back(config: Config, model: ModelStore, to: Version, *, mode: str, ref: str, reason: str) -> Ref:
    if mode == "skip" and to.kind == "closing":
        raise ConfigError(
            f"expected a version that training can go on from, found the closing version {to.version}",
            f"skip to its parent: tidemark rollback {to.parent} --skip",
        )
    if to.blob is None:
        _bring_back_bytes(config, model, to)
    if ref == "head" and mode == "skip":
        return model.skip(to.version, who=who(), why=reason, environment=to.environment)[1]
    return model.move(ref, to.version, kind="rewind", who=who(), why=reason)


def _undo(config: Config, model: ModelStore, *, ref: str, reason: str) -> Ref:
    try:
        return model.undo(name=ref, who=who(), why=reason)
    except BytesExpired as expired:
        _bring_back_bytes(config, model, model.version(expired.version))
        return model.undo(name=ref, who=who(), why=reason)


def _bring_back_bytes(config: Config, model: ModelStore, version: Version) -> None:
    """Replay a version whose bytes were expired from its nearest ancestor that has them, and keep them again."""
    pin_hash_seed()
    from stream.commands.learning import recompute_bytes  # noqa: PLC0415 - imports river, which takes a second

    recompute_bytes(config, model, version)


def _tell(model: ModelStore, before: Ref | None, moved: Ref, *, mode: str, as_json: bool) -> None:
    version = model.version(moved.version)
    skipped = [run for run in model.segment(version.version).runs if run.kind == "skip"] if mode == "skip" else []
    other = before is not None and model.version(before.version).identity != version.identity
    if as_json:
        print_json(
            {
                "ref": moved.name,
                "from": before.version if before else None,
                "to": moved.version,
                "kind": mode,
                "move": moved.moves,
                "learned": version.accounts.learned,
                "position": version.position.next_offsets(),
                "skipped": [{"partition": run.partition, "start": run.start, "stop": run.stop} for run in skipped],
                "other_recipe": other,
            }
        )
        return
    out = console()
    came = f" (was at version {before.version})" if before else ""
    out.print(f"{moved.name} is at version {moved.version}{came}: {version.accounts.learned:,} events learned")
    for run in skipped:
        out.print(f"  skipped: {run.topic}[{run.partition}] offsets {run.start:,} to {run.stop:,}")
    if other:
        learner = f"learner = {in_toml(version.recipe)}"
        out.print(f"  it has another recipe: before training goes on, write into [model] {learner}", markup=False)
    if moved.name == "head":
        out.print("a running trainer follows within a second; take it back with: tidemark rollback --undo")


def promote(path: Path, selector: str, *, reason: str, as_json: bool) -> None:
    """Move champion to a version."""
    with opened_model(path) as (_, model):
        version = model.version(selector)
        before = model.ref("champion")
        moved = model.move("champion", version.version, kind="promote", who=who(), why=reason)
    if as_json:
        print_json({"ref": "champion", "from": before.version if before else None, "to": moved.version})
        return
    came = f" (was at version {before.version})" if before else ""
    console().print(f"champion is at version {moved.version}{came}")


def expire(path: Path, *, keep_last: int | None, dry_run: bool, as_json: bool) -> None:
    """Delete the bytes of old versions, never what is known of them."""
    with opened_model(path) as (config, model):
        keep = keep_last or config.snapshots.keep_last
        gone = model.expire(keep_last=keep, dry_run=dry_run, now=datetime.now(UTC))
    if as_json:
        print_json({"expired": gone, "dry_run": dry_run})
        return
    verb = "would delete" if dry_run else "deleted"
    console().print(
        f"{verb} the bytes of {len(gone):,} versions; kept: references, genesis, the last {keep}, one a day. "
        "A version without bytes can still be replayed from an older one."
    )


def export(path: Path, selector: str, file: Path) -> None:
    """Write one file that loads without trainer and Kafka."""
    with opened_model(path) as (_, model):
        version = model.version(selector)
        write_export(file, version, model.payload(version.version))
    console().print(f"wrote version {version.version} to {file} ({file.stat().st_size:,} bytes)")
