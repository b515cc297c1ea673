"""Held events as they are kept for a person: of which kind, how much of their bytes, and since when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from store.types import HeldEvent, HoldKind
from stream.fields import Fault
from stream.log import Span

RAISED = "learner_raised"
"""The reason code of an event that the model raised on. Its state is restored, and the event held: no crash loop."""

TAINTED = "learner_tainted"
"""That of an event after which predictions were not finite any more."""

TOO_OLD = "too_old"
"""That of an event which is older than `gate.age_max` allows when it is read."""

DUPLICATE = "duplicate_id"
"""That of an event whose id an accepted one had, among the last so many (`gate.duplicates`)."""

QUARANTINED = "quarantined"
"""That of an event which a person holds."""

RULE = "rule:"
"""How the reason codes begin of events that a rule of `gate.rules` holds; its name follows."""

_SUSPECT = frozenset((RAISED, TAINTED, TOO_OLD, DUPLICATE, QUARANTINED))
_NOT_KEPT = "…: nothing of the event is kept, as gate.raw says"


def kind_of(reason: str) -> HoldKind:
    """Tell malformed events from those that can be read, but are not trusted.

    >>> kind_of("not_json"), kind_of("rule:impossible"), kind_of("quarantined")
    ('malformed', 'suspect', 'suspect')
    """
    return "suspect" if reason in _SUSPECT or reason.startswith(RULE) else "malformed"


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of a held event: its bytes, only their hash, or neither; and then no value in words, either."""

    raw: Literal["keep", "hash", "drop"] = "keep"

    def hold(self, topic: str, span: Span, faults: Iterable[tuple[int, Fault]]) -> list[HeldEvent]:
        """Return the events at these places of a span as held, now."""
        now = datetime.now(UTC)
        return [self._hold(topic, span, place, fault, now) for place, fault in faults]

    def _hold(self, topic: str, span: Span, place: int, fault: Fault, now: datetime) -> HeldEvent:
        value = span.values[place]
        detail = fault.detail if self.raw == "keep" else _without_values(fault)
        return HeldEvent(
            topic=topic,
            partition=span.partition,
            offset=span.offsets[place],
            kind=kind_of(fault.reason),
            reason=fault.reason,
            detail=detail if fault.owner is None else f"{detail} (owner: {fault.owner})",
            raw=value if self.raw == "keep" else None,
            timestamp_ms=span.timestamps_ms[place],
            sha256=None if self.raw == "drop" else hashlib.sha256(value).hexdigest(),
            held_at=now,
        )


def _without_values(fault: Fault) -> str:
    """Leave out of a detail what was found: it is of the event. A traceback may have anything in it.

    >>> _without_values(Fault("field_type", "delay: expected a number, found 'late'"))
    'delay: expected a number, found …: nothing of the event is kept, as gate.raw says'
    >>> _without_values(Fault("field_missing", "expected a time, found none"))
    'expected a time, found none'
    """
    if fault.reason in (RAISED, TAINTED):
        return f"the model failed {_NOT_KEPT}"
    expected, found, what = fault.detail.partition("found ")
    return fault.detail if not found or what.startswith("none") else f"{expected}{found}{_NOT_KEPT}"
