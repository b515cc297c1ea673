"""The self-contained page of a report: it asks no network for anything, and nothing in it can.

The plots are drawn by plotly.js, which the package plotly carries. Text that others wrote (names, reasons, values)
is escaped by jinja, in plots by `told.hover`, and in the data by `_embedded`; should that fail, the page's policy runs
no script but the three that are its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stream.report import plots, sections, series, told
from stream.report.figures import Figure
from stream.report.gather import Report

_HERE = Path(__file__).parent


def render(report: Report, plotly_js: str) -> str:
    """Return the page as HTML. `plotly_js` is the text of plotly.js."""
    panels = series.panels(report)
    return page(
        "page.html",
        drawn(report, panels),
        plotly_js,
        report=report,
        panels=panels,
        key=sections.key(report),
        glance=sections.glance(report),
        parts=sections.parts(report),
        confusion=sections.confusion(report),
        slices=sections.sliced(report),
        labels=sections.labels(report),
        labels_by=sections.labels_by(report),
        rows_max=sections.ROWS_MAX,
        outputs=sections.outputs(report),
        latest=sections.latest(report),
        absent=sections.absent(report),
        settings=sections.settings(report),
        unsupervised=sections.unsupervised(report),
        event_time=series.event_time(report),
    )


def page(template: str, figures: Mapping[str, Figure], plotly_js: str, **values: Any) -> str:
    """Return a page of this room: a template on top of `base.html`, with its plots and what it tells."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    made = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.filters.update(
        score=told.score, count=told.count, moment=told.moment, duration=told.duration, instant=told.instant
    )
    made.globals["share"] = told.share
    return made.get_template(template).render(
        **values,
        figures=figures,
        embedded=_embedded(figures),
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        plotly_js=Markup(plotly_js),  # noqa: S704 - plotly's own file
        policy=_policy(script, plotly_js),
    )


def drawn(report: Report, panels: Sequence[series.Panel]) -> dict[str, Figure]:
    """Return all plots by the name of their place in the page."""
    found = {
        f"score-{number}-{axis}": figure
        for number, panel in enumerate(panels)
        for axis, figure in panel.figures.items()
    }
    found["history"] = plots.history(report)
    if (against := plots.differences(report.verdicts)) is not None:
        found["against"] = against
    for number, each in enumerate(sections.sliced(report)):
        found[f"slice-{number}"] = plots.slices(each.values, each.metric, each.span, each.overall)
    if (labels := sections.labels(report)) is not None and "delay" in labels:
        delays = plots.delays(labels["delay"]["edges_s"], labels["delay"]["counts"])
        found.update({"delay": delays} if delays else {})
    return found


def _embedded(figures: Mapping[str, Figure]) -> Markup:
    """Return the plots as JSON that may stand in a script element: nothing in it can end the element."""
    text = msgspec.json.encode(figures).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _policy(*scripts: str) -> str:
    """Return the page's content security policy: its own scripts by their hash, no network."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
