"""`make bench`: Tidemark against the loop that people write by hand, as ratios in one run.

Both read the same topic of the same broker, in processes of their own, in turn (A B A B …). Measured is the loop alone,
from the first poll to the last commit; starting up is not. The machine's speed drifts: quote ratios and their medians.
"""

from __future__ import annotations

import argparse
import platform

from tests.benchmarks import backtesting, delayed, gate, memory, pending, rebuilding, runs
from tests.benchmarks.alone import alone
from tests.benchmarks.events import events_of
from tests.benchmarks.told import told
from tests.kafka.broker import Broker

LEARNERS = {
    "StandardScaler | LogisticRegression": runs.LINEAR,
    "HoeffdingTreeClassifier": "tree.HoeffdingTreeClassifier()",
}


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser(prog="make bench")
    arguments.add_argument("--pairs", type=int, default=5)
    arguments.add_argument("--times", type=int, default=3, help="how often the stream is repeated")
    arguments.add_argument("--memory-events", type=int, default=1_000_000)
    arguments.add_argument("--pending", type=int, default=1_000_000, help="labels that are pending at a time")
    chosen = arguments.parse_args()
    broker = Broker()
    try:
        events, source = events_of(chosen.times)
        topic = broker.topic()
        runs.fill(broker.bootstrap, topic, events)
        print(f"{platform.platform()}, Python {platform.python_version()}; {len(events):,} events of {source}")
        print("Tidemark: snapshots every 20,000 events and 5 s, five scores of each metric; by hand: Accuracy only")
        for name, learner in LEARNERS.items():
            compare(name, learner, broker.bootstrap, topic, len(events), chosen.pairs)
        for name, learner in LEARNERS.items():
            rebuilding.compare(name, learner, broker.bootstrap, topic, len(events), chosen.pairs)
        for name, learner in LEARNERS.items():
            gate.compare(name, learner, broker.bootstrap, topic, events[0], len(events), chosen.pairs)
        for name, learner in LEARNERS.items():
            backtesting.compare(name, learner, broker.bootstrap, topic, len(events), chosen.pairs)
        backtesting.share(broker.bootstrap, topic, chosen.pairs)
        gate.measure(50_000, chosen.pairs)
        timed = broker.topic()
        runs.fill(broker.bootstrap, timed, delayed.with_times(events))
        for name, learner in LEARNERS.items():
            delayed.compare(name, learner, broker.bootstrap, timed, len(events), chosen.pairs)
        pending.measure(chosen.pending)
        memory.measure(chosen.memory_events)
    finally:
        broker.close()


def compare(name: str, learner: str, bootstrap: str, topic: str, count: int, pairs: int) -> None:
    """Run both in turn, and print events a second and the ratio pair by pair."""
    ratios, rates = [], {"by hand": [], "tidemark": []}  # type: ignore[var-annotated]
    for _ in range(pairs):
        hand = alone(runs.by_hand, learner, bootstrap, topic, count)
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


if __name__ == "__main__":
    main()
