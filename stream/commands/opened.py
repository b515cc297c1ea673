"""What most commands begin with: the configuration read, the store open; and what they end with: output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from store import ModelStore, Store
from store.errors import NoSuchModel
from stream.config import Config, read_config

WIDTH_OF_PIPES = 240
GAP = 2
CELL_CHARS_MAX = 60


@contextmanager
def opened_model(path: Path) -> Iterator[tuple[Config, ModelStore]]:
    """Give the configuration and its model in the store. Raises `NoSuchModel` if the model has no version."""
    config = read_config(path)
    store = Store.open(config.store_url)
    try:
        model = store.model(config.model.name)
        if not model.exists():
            raise NoSuchModel(config.model.name)
        yield config, model
    finally:
        store.close()


def console() -> Console:
    """Return where people read: as wide as the terminal, wide in a pipe."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_PIPES)


def print_json(value: Any) -> None:
    """Print JSON for programs, indented for people."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def print_table(title: str, columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Print a table; numbers to the right. Columns that do not fit are left out, from the right, and it says so."""
    out = console()
    texts = [[short(told(value)) for value in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    fitting = len(columns)
    while fitting > 1 and sum(widths[:fitting]) + GAP * (fitting - 1) > out.width:
        fitting -= 1
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index, column in enumerate(columns[:fitting]):
        numbers = all(isinstance(line[index], (int, float, type(None))) for line in lines)
        table.add_column(column, justify="right" if numbers else "left", no_wrap=True)
    for text in texts:
        table.add_row(*map(Text, text[:fitting]))
    if title:
        out.print(title, highlight=False)
    out.print(table)
    if fitting < len(columns):
        out.print(f"({', '.join(columns[fitting:])}: in a wider terminal, or with --json)", highlight=False)


def short(text: str) -> str:
    """Put a text on one line that fits a cell."""
    line = " ".join(text.split())
    return line if len(line) <= CELL_CHARS_MAX else f"{line[: CELL_CHARS_MAX - 1]}…"


def told(value: Any) -> str:
    """Write a value for people.

    >>> told(0.82214), told(45312), told(None)
    ('0.8221', '45,312', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
