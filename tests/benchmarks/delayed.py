"""Labels that come later against labels at once: the same events of the same topic, by the same trainer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from tests.benchmarks import runs
from tests.benchmarks.alone import alone
from tests.benchmarks.told import told

DELAY = 1_000
"""Events from a question to its label."""

AT_ONCE = 'moment = "at"\nignore = ["at", "known_at"]'
LATER = f'{AT_ONCE}\n[labels]\nmoment = "known_at"'


def with_times(events: Iterable[bytes]) -> Iterator[bytes]:
    """Give each event a time, a second after the one before, and its label one `DELAY` later."""
    for second, event in enumerate(events):
        yield json.dumps({**json.loads(event), "at": second, "known_at": second + DELAY}).encode()


def compare(name: str, learner: str, bootstrap: str, topic: str, count: int, pairs: int) -> None:
    """Run both in turn, and print microseconds an event and the ratio pair by pair."""
    pairs_run = []
    for _ in range(pairs):
        once = alone(runs.tidemark, learner, bootstrap, topic, count, AT_ONCE)
        later = alone(runs.tidemark, learner, bootstrap, topic, count, LATER)
        assert (once["pending"], later["pending"]) == (0, DELAY)
        pairs_run.append((once, later))
    print(
        f"\n{name}, labels {DELAY:,} events later, from Kafka (min, median, max; a ratio of at most 1.3 is asked for)"
    )
    for key, clock in (("seconds", "elapsed"), ("cpu_seconds", "processor")):
        for place, when in enumerate(("at once", "later")):
            found = [each[place][key] / count * 1e6 for each in pairs_run]
            print(f"  {when:<10} {told(found, '.1f')} us/event, {clock}")
        print(f"  ratio      {told([later[key] / once[key] for once, later in pairs_run], '.3f')} {clock}")
