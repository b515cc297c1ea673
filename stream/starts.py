"""Where a model without versions starts to read, as a person writes it: a word, a time or offsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from stream.errors import ConfigError


def start_offsets(
    where: str | int | Mapping[int, int],
    earliest: Callable[[], dict[int, int]],
    end: Callable[[], dict[int, int]],
    since: Callable[[int], dict[int, int]],
) -> dict[int, int]:
    """Return the offsets that `where` means (see `Log.start`); `since` gives them for a time in ms since 1970.

    >>> start_offsets("latest", lambda: {0: 2}, lambda: {0: 9}, lambda ms: {})
    {0: 9}
    >>> start_offsets({1: 4}, lambda: {0: 2, 1: 0}, lambda: {0: 9, 1: 9}, lambda ms: {})
    {0: 2, 1: 4}
    """
    if where == "earliest":
        return earliest()
    if where == "latest":
        return end()
    if isinstance(where, str):
        return since(time_ms(where))
    first, stop = earliest(), end()
    if isinstance(where, int):
        if len(first) != 1:
            raise ConfigError(
                f"expected an offset for each partition, found {where} for {len(first)} partitions",
                "write a table of partition = offset",
            )
        where = dict.fromkeys(first, where)
    for partition, offset in where.items():
        if partition not in first:
            raise ConfigError(f"expected one of the partitions {sorted(first)}, found {partition}")
        if not first[partition] <= offset <= stop[partition]:
            raise ConfigError(
                f"expected an offset in {first[partition]}..{stop[partition]} of partition {partition}, found {offset}",
                "start at an offset that the log has",
            )
    return first | dict(where)


def time_ms(text: str) -> int:
    """Return an ISO time in ms since 1970; without an offset it is UTC. Raises `ConfigError`.

    >>> time_ms("1970-01-01T00:00:01.5"), time_ms("1970-01-01T01:00+01:00")
    (1500, 0)
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f'expected "earliest", "latest", an ISO time or offsets, found {text!r}', "for example 2026-03-01T03:10:00Z"
        ) from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
