"""The blast radius of quarantined events, as plain values and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from store import ModelStore
from stream.blast import Blast, touched_since
from stream.commands.opened import console, print_table


def blast_json(model: ModelStore, blast: Blast) -> dict[str, Any]:
    """Return it as plain values."""
    champion = touched_since(model, "champion", blast.touched)
    return {
        "learned_by_head": blast.learned,
        "versions": sorted(blast.own),
        "touched": sorted(blast.touched),
        "last_clean": blast.base,
        "references": {ref.name: ref.version in blast.touched for ref in model.refs()},
        "champion_touched_since": champion and champion.isoformat(timespec="seconds"),
        "predictions": blast.predictions,
        "scores": _scores(blast),
    }


def _scores(blast: Blast) -> dict[str, dict[str, float | None]]:
    """Return each metric over the window: before the events were learned, at its worst version since, and at head."""
    if blast.base is None:
        return {}
    line = {version.version: version for version in blast.lineage}
    during = [version for version in blast.lineage if version.version in blast.own]
    before, now = line[blast.base], blast.lineage[-1]
    return {
        metric: {
            "before": before.proof.scores.get(metric, {}).get("window"),
            "during": during[-1].proof.scores[metric]["window"],
            "now": now.proof.scores[metric]["window"],
        }
        for metric in now.proof.scores
    }


def tell_blast(told: dict[str, Any]) -> None:
    """Print what `blast_json` gave."""
    out = console()
    if not told["versions"]:
        out.print("  no version has learned any of them", highlight=False)
        return
    out.print(
        f"  learned by {_several(told['versions'])}; touched, with what came after: {_several(told['touched'])}; "
        f"head's lineage learned {told['learned_by_head']:,}",
        highlight=False,
    )
    refs = [f"{name}: {'touched' if touched else 'clean'}" for name, touched in told["references"].items()]
    since = f" (champion since {told['champion_touched_since']})" if told["champion_touched_since"] else ""
    out.print(f"  {', '.join(refs)}{since}; {told['predictions']:,} predictions by touched versions", highlight=False)
    if told["last_clean"] is not None:
        out.print(f"  the last clean version of head's lineage is {told['last_clean']}", highlight=False)
    if told["scores"]:
        columns = ("window", "before", "during", "now")
        print_table("", columns, [(f"  {name}", *each.values()) for name, each in told["scores"].items()])


def _several(versions: Sequence[int]) -> str:
    """Name versions, many of them as ranges.

    >>> _several([3, 4, 5, 9])
    'versions 3-5, 9'
    """
    ranges: list[list[int]] = []
    for version in versions:
        if ranges and version == ranges[-1][1] + 1:
            ranges[-1][1] = version
        else:
            ranges.append([version, version])
    named = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
    return f"version {named}" if len(versions) == 1 else f"versions {named}"
