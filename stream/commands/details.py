"""What is known of a version's predictions beside scores, for people: verdicts, answers, confusion, slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from store.types import Proof
from stream.commands.opened import console, print_table, told
from stream.report.verdicts import judge


def print_details(proof: Proof) -> None:
    """Print what there is."""
    details = proof.details
    for verdict in judge(proof) if "against" in details else ():
        console().print(f"  {verdict.words}", highlight=False, markup=False, soft_wrap=True)
    for metric, interval in details.get("intervals", {}).items():
        if interval["why"] is not None:
            console().print(f"  No interval for {metric}: {interval['why']}.", highlight=False, markup=False)
    if static := details.get("static"):
        since, events = told(static["since_learned"]), told(static["events"])
        who = "static" if static["of"] == "model" else static["of"]
        console().print(f"  {who:<12} since {since} events were learned; {events} were judged since", highlight=False)
    if outputs := details.get("outputs"):
        console().print(f"  predictions  absent {told(outputs['absent'])}  not finite {told(outputs['not_finite'])}")
    if confusion := details.get("confusion"):
        _print_confusion(confusion)
    for field, slices in details.get("slices", {}).items():
        _print_slices(field, slices)


def _print_confusion(confusion: Mapping[str, Any]) -> None:
    """Print a line for each true label: the counts by predicted label, and in brackets those of the window."""
    labels = [told(label) if isinstance(label, bool) else str(label) for label in confusion["labels"]]
    lines = [
        (label, *(f"{told(count)} ({told(recent)})" for count, recent in zip(*both, strict=True)))
        for label, *both in zip(labels, confusion["counts"], confusion["window"], strict=True)
    ]
    if lines:
        title = "confusion: lines are true labels, columns predicted ones (in brackets: in the window)"
        print_table(title, ["", *labels], lines)


def _print_slices(field: str, slices: Mapping[str, Any]) -> None:
    """Print a line for each value of a field, those with most events first."""
    metrics = [*dict.fromkeys(metric for entry in slices.values() for metric in entry["scores"])]
    judged = [(metric, span) for span in ("cumulative", "window") for metric in metrics]
    lines = [
        (value, entry["events"], entry["window"], *(entry["scores"][metric][span] for metric, span in judged))
        for value, entry in sorted(slices.items(), key=lambda item: -item[1]["events"])
    ]
    columns = [field, "events", "in the window", *(f"{metric} {span}" for metric, span in judged)]
    if lines:
        print_table(f"slices by {field}", columns, lines)
