"""How values are written for people on the page: numbers, times, durations, and text that others wrote."""

from __future__ import annotations

import html
import textwrap
from datetime import UTC, datetime, timedelta

HOVER_CHARS_MAX = 400
HOVER_WIDTH = 56
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (0.001, "ms"))


def score(value: float | None) -> str:
    """Write a score.

    >>> score(0.82214), score(1234.5), score(None)
    ('0.8221', '1,234.50', '-')
    """
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.2f}"  # noqa: PLR2004 - four digits are enough


def count(value: int | None) -> str:
    """Write a number of events.

    >>> count(45312)
    '45,312'
    """
    return "-" if value is None else f"{value:,}"


def share(part: float, whole: float) -> str:
    """Write a part of a whole in per cent.

    >>> share(3, 400), share(1, 100_000), share(0, 0)
    ('0.8 %', '<0.1 %', '-')
    """
    if not whole:
        return "-"
    told = f"{100 * part / whole:.1f}"
    return "<0.1 %" if part and told == "0.0" else f"{told} %"


def moment(value: datetime) -> str:
    """Write a time, to the second.

    >>> moment(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01 12:00:00 UTC'
    """
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def instant(clock_us: int) -> datetime:
    """Return microseconds since 1970 as a time; what lies beyond the year 9999 is put at its end.

    >>> instant(1_500_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    try:
        return _EPOCH + timedelta(microseconds=clock_us)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if clock_us > 0 else datetime.min.replace(tzinfo=UTC)


def duration(seconds: float | None) -> str:
    """Write a duration in its largest unit.

    >>> duration(90), duration(0.25), duration(86400 * 7), duration(0)
    ('1.5 min', '250 ms', '7 d', '0 s')
    """
    if seconds is None:
        return "-"
    for unit_s, name in _UNITS:
        if abs(seconds) >= unit_s:
            return f"{seconds / unit_s:.3g} {name}"
    return "0 s"


def hover(*lines: str) -> str:
    """Return lines for a plot's hover box, which reads them as HTML: escaped, wrapped, and not endless.

    >>> hover("why: a < b", "x" * 60)
    'why: a &lt; b<br>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx<br>xxxx'
    """
    wrapped = [part for line in lines for part in textwrap.wrap(line[:HOVER_CHARS_MAX], HOVER_WIDTH) or [""]]
    return "<br>".join(html.escape(part) for part in wrapped)
