"""The command rebuild: plan, protect, rebuild, prove, tell."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learners import read_recipe
from store import ModelStore
from store.types import Version
from stream.blast import blast_radius
from stream.collector import collecting_seldom
from stream.commands.learning import open_replay_feed
from stream.commands.opened import console, opened_model, print_json, print_table
from stream.commands.progress import progress
from stream.config import Config
from stream.environment import require_same
from stream.errors import LogLost
from stream.known import up_to_date
from stream.owner import who
from stream.plan import Plan, plan, union
from stream.rebuild import Rebuilder
from stream.replay import prove_lineage
from stream.runs import OpenRun, recorded
from stream.settled import check_settled


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to rebuild."""

    reason: str = ""
    protect: bool = False
    also_verify: bool = False
    accept_gap: bool = False
    take_over: bool = False
    dry_run: bool = False


def rebuild(path: Path, wishes: Wishes, *, as_json: bool) -> bool:
    """Rebuild head; False if the proof that was asked for failed."""
    with opened_model(path) as (config, model):
        recipe = read_recipe(config.model.learner, config.model.task, search_path=config.base)
        check_settled(model, config, recipe, model.head()[0])
        require_same(model.head()[0].environment, "head")
        told = _rebuild(config, model, wishes)
    if as_json:
        print_json(told)
    else:
        _tell(told, dry_run=wishes.dry_run)
    return told.get("proved") is not False


def _rebuild(config: Config, model: ModelStore, wishes: Wishes) -> dict[str, Any]:
    with recorded(model, config, "rebuild") as run:
        with closing(open_replay_feed(config)) as feed, progress("resolving open entries", None) as tell:
            revision, entries = up_to_date(model, feed, config, tell)
        made = plan(model, revision, entries)
        before = model.head()[0]
        told: dict[str, Any] = {
            "from": before.version,
            "base": None if made.base is None else made.base.version,
            "to": None,
            "learned": len(made.learned),
            "missed": len(made.missed),
            "scores": {"before": _scores(before)},
        }
        if made.base is None or wishes.dry_run:
            return told
        if wishes.protect:
            told["protected"] = _protect(model, made)
        rebuilt = _carry_out(config, model, made, wishes, run)
        told["to"], told["scores"]["rebuilt"] = rebuilt.version, _scores(rebuilt)
        told["covers"] = rebuilt.covers
        told["left_to_read"] = before.accounts.read - rebuilt.accounts.read
        if wishes.also_verify:
            told["proved"], told["why_not"] = _prove(config, model, rebuilt)
        run.result.update({key: value for key, value in told.items() if key != "scores"})
        return told


@collecting_seldom()
def _carry_out(config: Config, model: ModelStore, made: Plan, wishes: Wishes, run: OpenRun) -> Version:
    assert made.base is not None, "there is something to rebuild"
    events = model.head()[0].accounts.read - made.base.accounts.read
    with progress(f"rebuilding from version {made.base.version}", events) as tell:
        rebuilder = Rebuilder(
            model,
            lambda: open_replay_feed(config),
            config,
            made,
            run,
            tell,
            accept_gap=wishes.accept_gap,
            take_over=wishes.take_over,
        )
        ref, _ = rebuilder.rebuild(wishes.reason or "quarantined events were taken out")
    return model.version(ref.version)


def _prove(config: Config, model: ModelStore, rebuilt: Version) -> tuple[bool | None, str | None]:
    """Learn from genesis what was rebuilt; return whether it is equal, and why not. None: the log cannot tell."""
    with (
        closing(open_replay_feed(config)) as feed,
        progress("proving from genesis", rebuilt.accounts.read) as tell,
    ):
        try:
            why_not = prove_lineage(model, feed, config, rebuilt, tell)
        except LogLost as gone:
            return None, str(gone)
    return why_not is None, why_not


def _protect(model: ModelStore, made: Plan) -> int | None:
    """Move champion to the last clean version, if it has learned what is quarantined; return where it is then."""
    champion = model.ref("champion")
    if champion is None or made.base is None:
        return None
    touched = blast_radius(model, union(entry.offsets for entry in made.entries if entry.active)).touched
    if champion.version not in touched:
        return champion.version
    model.move("champion", made.base.version, kind="protect", who=who(), why="the last clean version")
    return made.base.version


def _scores(version: Version) -> dict[str, float | None]:
    return {metric: spans.get("cumulative") for metric, spans in version.proof.scores.items()}


def _tell(told: dict[str, Any], *, dry_run: bool) -> None:
    out = console()
    if told["base"] is None:
        out.print("head has learned nothing that is quarantined, and missed nothing that was released", highlight=False)
        return
    what = [f"without {told['learned']:,} quarantined events"] if told["learned"] else []
    what += [f"with {told['missed']:,} released events in their place"] if told["missed"] else []
    if dry_run:
        out.print(f"would rebuild head from version {told['base']} {' and '.join(what)}", highlight=False)
        return
    out.print(
        f"head is at version {told['to']}, rebuilt from version {told['base']} {' and '.join(what)}; "
        f"version {told['from']} stays for comparison",
        highlight=False,
    )
    if told.get("protected") is not None:
        out.print(
            f"  champion is at version {told['protected']}; let it serve the rebuilt one: tidemark promote head",
            highlight=False,
        )
    if told["left_to_read"] > 0:
        out.print(f"  the last {told['left_to_read']:,} events are read again by the trainer", highlight=False)
    scores = told["scores"]
    print_table(
        "",
        ("cumulative", "before", "rebuilt"),
        [(f"  {metric}", scores["before"].get(metric), value) for metric, value in scores["rebuilt"].items()],
    )
    if "proved" in told:
        word = {True: "equal", False: "not equal: ", None: "cannot tell: "}[told["proved"]] + (told["why_not"] or "")
        out.print(f"  a run from genesis without the events: {word}", highlight=False, markup=False)
