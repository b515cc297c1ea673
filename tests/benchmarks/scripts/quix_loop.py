"""Quix Streams with river: its own JSON reader, its own commits every five seconds."""

from __future__ import annotations

import tempfile
from typing import Any

from quixstreams import Application
from river_loop import RiverLoop, given


def main() -> None:
    """Read all events of the topic."""
    task = given()
    loop = RiverLoop(task["events"])
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=task["bootstrap"],
            consumer_group=task["group"],
            auto_offset_reset="earliest",
            state_dir=folder,
            loglevel="ERROR",
        )
        frame = app.dataframe(app.topic(task["topic"], value_deserializer="json"))

        def learn(x: dict[str, Any]) -> None:
            loop.event(x)
            if not loop.left:
                app.stop()

        frame.update(learn)
        app.run()
    loop.tell("quixstreams", "confluent-kafka")


main()
