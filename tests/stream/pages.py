"""What tests of pages ask a browser, and plotly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
from playwright.sync_api import Page

from stream.report.figures import Figure

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
NETWORK = "MAP * ~NOTFOUND"

Opens = Callable[..., Page]


def drawn(page: Page, name: str) -> dict[str, Any]:
    """Return a plot as it is in the browser: its size, its texts, how many of its parts are drawn."""
    found: dict[str, Any] = page.evaluate(
        """name => {
            const plot = document.getElementById(`plot-${name}`), svg = plot.querySelector("svg.main-svg");
            const box = svg.getBoundingClientRect();
            const all = (what) => [...plot.querySelectorAll(what)];
            return {
                width: box.width, height: box.height, texts: all("text").map(each => each.textContent),
                lines: all("path.js-line").map(each => [each.style.stroke, each.getAttribute("d").length]),
                points: all(".scatterlayer path.point").length, bars: all(".barlayer .point path").length,
                shapes: all(".shapelayer path").length,
                data: plot.data,
            };
        }""",
        name,
    )
    return found


def check(figure: Figure) -> Any:
    return go.Figure(data=figure["data"], layout=figure["layout"]).to_plotly_json()["data"]
