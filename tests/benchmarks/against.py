"""The parts that compare two settings of Tidemark, or one with the loop by hand: each prints its own figures.

Both sides read the same topic of the same broker, in processes of their own, in turn (A B A B …). Measured is the loop
alone, from the first poll to the last commit; starting up is not. Quote ratios and their medians.
"""

from __future__ import annotations

import argparse
import functools
import platform
from collections.abc import Callable, Sequence

from tests.benchmarks import backtesting, delayed, gate, measured, memory, pending, rebuilding, runs
from tests.benchmarks.alone import alone
from tests.benchmarks.events import events_of
from tests.benchmarks.told import told
from tests.kafka.broker import Broker

LEARNERS = {
    "StandardScaler | LogisticRegression": runs.LINEAR,
    "HoeffdingTreeClassifier": "tree.HoeffdingTreeClassifier()",
}

EVERY = 20_000
"""So often a version is saved, in events; at most every five seconds."""

LONGER, TREES = 20, 4
"""What is compiled is ten times as fast: so many more events, and as many more between versions. Trees are slower."""


class Ground:
    """A broker with one topic, started when a part first asks for it."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.pairs: int = chosen.pairs
        self.chosen = chosen
        self.events, self.source = events_of(chosen.repeat)

    @functools.cached_property
    def broker(self) -> Broker:
        """The broker."""
        return Broker()

    @functools.cached_property
    def topic(self) -> str:
        """The topic with the events."""
        return self.filled(self.events)

    @functools.cached_property
    def long_topic(self) -> str:
        """A topic with the events `LONGER` times over."""
        return self.filled(self.events * LONGER)

    @functools.cached_property
    def tree_topic(self) -> str:
        """A topic with the events `TREES` times over."""
        return self.filled(self.events * TREES)

    def filled(self, events: Sequence[bytes]) -> str:
        """Return a topic with these events."""
        topic = self.broker.topic()
        runs.fill(self.broker.bootstrap, topic, events)
        return topic

    def again(self, compare: Callable[..., None]) -> None:
        """Compare what trains with what replays it: over more events, since both are compiled, and a second short."""
        count, bootstrap = len(self.events), self.broker.bootstrap
        linear, tree = LEARNERS.items()
        compare(*linear, bootstrap, self.long_topic, count * LONGER, EVERY * LONGER, self.pairs)
        compare(*tree, bootstrap, self.tree_topic, count * TREES, EVERY * TREES, self.pairs)

    def close(self) -> None:
        """Remove the broker, if there is one."""
        if "broker" in self.__dict__:
            self.broker.close()


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Add what these parts take."""
    group = arguments.add_argument_group(", ".join(PARTS))
    group.add_argument("--pairs", type=int, default=5)
    group.add_argument("--repeat", type=int, default=3, help="how often the stream is repeated")
    group.add_argument("--memory-events", type=int, default=1_000_000)
    group.add_argument("--pending", type=int, default=1_000_000, help="labels that are pending at a time")


def measure(parts: Sequence[str], chosen: argparse.Namespace) -> None:
    """Run these parts, in this order."""
    if not parts:
        return
    ground = Ground(chosen)
    print(
        f"{platform.platform()}, Python {platform.python_version()}; {len(ground.events):,} events of {ground.source}"
    )
    print("Tidemark: snapshots every 20,000 events and 5 s, five scores of each metric; by hand: Accuracy only")
    try:
        for part in parts:
            PARTS[part](ground)
    finally:
        ground.close()


def _compare(ground: Ground) -> None:
    for name, learner in LEARNERS.items():
        compare(name, learner, ground.broker.bootstrap, ground.topic, len(ground.events), ground.pairs)


def compare(name: str, learner: str, bootstrap: str, topic: str, count: int, pairs: int) -> None:
    """Run both in turn, and print events a second and the ratio pair by pair."""
    ratios, rates = [], {"by hand": [], "tidemark": []}  # type: ignore[var-annotated]
    for _ in range(pairs):
        hand = alone(measured.by_hand, learner, bootstrap, topic, count, False)
        mine = alone(runs.tidemark, learner, bootstrap, topic, count)
        # By hand, a first prediction of None counts as wrong; river's progressive validation does not score it.
        assert abs(hand["accuracy"] - mine["accuracy"]) <= 1 / count, (hand, mine)
        rates["by hand"].append(count / hand["seconds"])
        rates["tidemark"].append(count / mine["seconds"])
        ratios.append(hand["seconds"] / mine["seconds"])
    print(f"\n{name}, from Kafka (accuracy {mine['accuracy']!r})")
    for who, found in rates.items():
        print(f"  {who:<10} {told(found, ',.0f')} events/s")
    print(f"  ratio      {told(ratios, '.3f')} tidemark to by hand (min, median, max)")


def _rebuilding(ground: Ground) -> None:
    ground.again(rebuilding.compare)


def _gate(ground: Ground) -> None:
    count, first = len(ground.events), ground.events[0]
    for name, learner in LEARNERS.items():
        gate.compare(name, learner, ground.broker.bootstrap, ground.topic, first, count, ground.pairs)
    gate.measure(50_000, ground.pairs)


def _backtesting(ground: Ground) -> None:
    ground.again(backtesting.compare)
    backtesting.share(ground.broker.bootstrap, ground.topic, ground.pairs)
    compiled, rows = backtesting.TREES
    count = len(ground.events)
    backtesting.split(compiled, ground.broker.bootstrap, ground.long_topic, count * LONGER, ground.pairs)
    backtesting.split(rows, ground.broker.bootstrap, ground.topic, count, ground.pairs)


def _delayed(ground: Ground) -> None:
    timed = ground.filled(delayed.with_times(ground.events))
    for name, learner in LEARNERS.items():
        delayed.compare(name, learner, ground.broker.bootstrap, timed, len(ground.events), ground.pairs)


PARTS: dict[str, Callable[[Ground], None]] = {
    "compare": _compare,
    "rebuilding": _rebuilding,
    "gate": _gate,
    "backtesting": _backtesting,
    "delayed": _delayed,
    "pending": lambda ground: pending.measure(ground.chosen.pending),
    "memory": lambda ground: memory.measure(ground.chosen.memory_events),
}
