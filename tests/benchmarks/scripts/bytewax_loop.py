"""Bytewax with river: its Kafka source in batches of 1,000, one worker; nothing is committed, recovery is off."""

from __future__ import annotations

from typing import Any

import orjson
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main
from river_loop import RiverLoop, given


def main() -> None:
    """Read the topic to its end."""
    task = given()
    loop = RiverLoop(task["events"])

    def learn(message: Any) -> bool:
        loop.event(orjson.loads(message.value))
        return False

    flow = Dataflow("bench")
    source = KafkaSource([task["bootstrap"]], [task["topic"]], tail=False, add_config={"group.id": task["group"]})
    nothing: list[Any] = []
    op.output("out", op.filter("learn", op.input("in", flow, source), learn), TestingSink(nothing))
    run_main(flow)
    loop.tell("bytewax", "confluent-kafka")


main()
