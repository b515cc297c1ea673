"""What a gate with ten rules costs for each event, and what it remembers, against one that has neither."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from tests.benchmarks import runs
from tests.benchmarks.alone import alone
from tests.benchmarks.told import told

RULES = {
    "low": "f0 < -100",
    "high": "f1 > 100",
    "outside": "f2 < 0 or f2 > 50",
    "stuck": "f3 == 7.5",
    "not_within": "not (f4 <= 1000)",
    "both": "f5 < -1 and f6 > 2",
    "sensor": "sensor == 's9'",
    "sensors": "sensor in ('s8', 'bad')",
    "mixed": "f7 > 10 and sensor != 's1'",
    "absent": "missing(f0)",
}
GATES: dict[str, dict[str, Any]] = {
    "no rules": {},
    "ten rules": {"rules": RULES},
    "10,000 ids": {"duplicates": 10_000},
    "breaker": {"breaker": {}},
}
"""Settings of `[gate]`; none of them holds one of the events."""

BATCH = 500


def compare(name: str, learner: str, bootstrap: str, topic: str, first: bytes, count: int, pairs: int) -> None:
    """Train on the same topic with ten rules on its fields, and with none, in turn; print what they cost."""
    fields = [key for key, value in json.loads(first).items() if isinstance(value, float)]
    rules = [f'r{n} = "{fields[n % len(fields)]} < -{1e6 + n}"' for n in range(10)]
    more = "[gate.rules]\n" + "\n".join(rules)
    found = []
    for _ in range(pairs):
        none = alone(runs.tidemark, learner, bootstrap, topic, count)
        ten = alone(runs.tidemark, learner, bootstrap, topic, count, more)
        assert none["accuracy"] == ten["accuracy"], (none, ten)
        found.append((none, ten))
    print(f"\n{name}, a gate with ten rules, from Kafka (min, median, max)")
    for place, rule in enumerate(("no rules", "ten rules")):
        print(f"  {rule:<10} {told([each[place]['cpu_seconds'] / count * 1e6 for each in found], '.2f')} us/event")
    costs = [(ten["cpu_seconds"] - none["cpu_seconds"]) / count * 1e6 for none, ten in found]
    print(f"  cost       {told(costs, '.2f')} us/event")
    print(f"  ratio      {told([ten['cpu_seconds'] / none['cpu_seconds'] for none, ten in found], '.3f')} processor")


def measure(count: int, pairs: int) -> None:
    """Judge the same events by each gate, in turn, and print microseconds an event and ratios."""
    found = [alone(judge, count) for _ in range(pairs)]
    print(f"\ngate alone, {count:,} events of 8 numbers and a sensor (us/event; min, median, max)")
    for name in GATES:
        costs, ratios = [each[name] for each in found], [each[name] / each["no rules"] for each in found]
        print(f"  {name:<10} {told(costs, '.2f')}   ratio {told(ratios, '.2f')} to no rules")


def judge(count: int) -> dict[str, float]:
    """Return how long each gate takes for an event, in microseconds of the processor; the best of three."""
    from stream.config import Config  # noqa: PLC0415
    from stream.decode import Decoder  # noqa: PLC0415
    from stream.gate import Gate  # noqa: PLC0415
    from stream.log import Batch, Format, Span  # noqa: PLC0415
    from stream.memory import Memory  # noqa: PLC0415
    from stream.schema import FeatureField, LabelField, Schema  # noqa: PLC0415
    from stream.sieve import open_sieve  # noqa: PLC0415

    form, features = Format("json"), tuple(FeatureField(f"f{n}", "number") for n in range(8))
    schema = Schema(features, LabelField("class", "category", "UP"))
    events = [event(random.Random(number), number) for number in range(count)]
    none: list[Any] = [None] * BATCH
    starts = range(0, count - BATCH + 1, BATCH)
    spans = [Span(0, at, at + BATCH, list(range(at, at + BATCH)), events[at : at + BATCH], none, none) for at in starts]
    took: dict[str, float] = {}
    model = {"name": "m", "task": "binary", "target": "class", "learner": "dummy", "positive": "UP"}
    for _ in range(3):
        for name, settings in GATES.items():
            table = {"breaker": False, **settings}
            config = Config(model=model, source={"log": "file:x", "id": "id"}, gate=table)  # type: ignore[arg-type]
            memory = Memory.of(config.gate, breaker=True)
            sieve = open_sieve(config, form, schema, live=True, aged=True, ids=memory.seen is not None)
            gate = Gate("t", Decoder(schema, form, bound=1e15), memory=memory, sieve=sieve)
            began = time.process_time()
            held = sum(len(gate.judge(Batch((span,))).held) for span in spans)
            cost = (time.process_time() - began) / (len(spans) * BATCH) * 1e6
            assert held == 0, f"{name}: {held} events were held"
            took[name] = min(cost, took.get(name, cost))
    return took


def event(source: random.Random, number: int) -> bytes:
    """Return one event that no rule holds."""
    x = {f"f{index}": source.random() for index in range(8)}
    return json.dumps({**x, "sensor": source.choice(["s1", "s2"]), "id": f"e{number}", "class": "UP"}).encode()
