"""Fixtures for tests of the stream: pages of reports in a real browser without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.stream.pages import DESK, NETWORK, Opens


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real headless Chromium; no host has an address in it."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no browser: expected one of {', '.join(names)}; apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", f"--host-resolver-rules={NETWORK}"]
        started = playwright.chromium.launch(executable_path=found, args=arguments)
        yield started
        started.close()


@pytest.fixture
def asked() -> list[str]:
    """The addresses that pages asked for."""
    return []


@pytest.fixture
def complaints() -> list[str]:
    """What pages wrote to their console, and what was raised in them."""
    return []


@pytest.fixture
def opens_page(browser: Browser, tmp_path: Path, asked: list[str], complaints: list[str]) -> Iterator[Opens]:
    """Open a page, drawn. After the test: it asked for nothing but its file, and complained of nothing."""
    file = tmp_path / "report.html"

    def listen(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    def ask(request: Request) -> None:
        asked.append(request.url)

    contexts = []

    def opened(html: str, *, viewport: Any = DESK, scheme: str = "light") -> Page:
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", ask)
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-drawn]", timeout=60_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert asked == [file.as_uri()] * len(contexts)
    assert complaints == []
