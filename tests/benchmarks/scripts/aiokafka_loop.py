"""aiokafka with river: up to 500 events at a time, commits by itself every five seconds, as is its default."""

from __future__ import annotations

import asyncio

import orjson
from aiokafka import AIOKafkaConsumer
from river_loop import RiverLoop, given


async def main() -> None:
    """Read all events of the topic."""
    task = given()
    loop = RiverLoop(task["events"])
    consumer = AIOKafkaConsumer(
        task["topic"],
        bootstrap_servers=task["bootstrap"],
        group_id=task["group"],
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        while loop.left:
            for records in (await consumer.getmany(timeout_ms=500, max_records=500)).values():
                for record in records:
                    loop.event(orjson.loads(record.value))
    finally:
        await consumer.stop()
    loop.tell("aiokafka")


asyncio.run(main())
