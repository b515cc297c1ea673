"""A real Apache Kafka broker (KRaft, one node) for tests, and for a person: `python -m tests.kafka.broker`.

Order of choice: a broker that runs already (KAFKA_BOOTSTRAP_SERVERS), Docker, Maven and Java. `NoBroker` says what is
missing. What this module starts, it stops, at the latest when Python ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import time
import uuid
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka.nodes import READY_S_MAX, NoBroker, Node, free_port, new_node

QUIET = {"log_level": 0}


class Broker:
    """A broker that answers at `bootstrap`. Started by `__init__`; `close` removes what was started."""

    def __init__(self, *, own: bool = False, port: int | None = None) -> None:
        """Take the running broker of KAFKA_BOOTSTRAP_SERVERS unless it must be our `own`. Raises `NoBroker`."""
        running = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        self._node: Node | None = None
        if running and not own:
            self.bootstrap = running
        else:
            port = port or free_port()
            self.bootstrap = f"127.0.0.1:{port}"
            self._node = new_node(port)
            atexit.register(self.close)
            self._node.start()
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})
        try:
            self._wait_ready()
        except BaseException:
            self.close()
            raise

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while True:
            with contextlib.suppress(KafkaException):
                self.admin.list_topics(timeout=1)
                return
            ended = self._node is not None and self._node.ended()
            if ended or time.monotonic() > deadline:
                log = self._node.log() if self._node else ""
                state = "ended" if ended else f"did not answer in {READY_S_MAX:g} s"
                raise NoBroker(f"the Kafka broker at {self.bootstrap} {state}; the end of its log:\n{log}")

    def stop(self) -> None:
        """Take the broker down; its data stay."""
        assert self._node is not None, "a broker that was not started here is not stopped here"
        self._node.stop()

    def start(self) -> None:
        """Bring it up again on the same data and port, and wait until it answers."""
        assert self._node is not None
        self._node.start()
        self._wait_ready()

    def producer(self, **settings: Any) -> Producer:
        """Return a producer that keeps the order of what it is given, also when it has to send again."""
        return Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, **settings})

    def topic(self, partitions: int = 1, **config: Any) -> str:
        """Create a topic of a new name and wait until it can be used. `retention_ms=5` stands for "retention.ms"."""
        name = f"t{uuid.uuid4().hex[:10]}"
        self.create(name, partitions, **config)
        return name

    def create(self, name: str, partitions: int = 1, **config: Any) -> None:
        """Create the topic `name`; right after its deletion the name may still be taken, so try for a while."""
        words = {key.replace("_", "."): str(value) for key, value in config.items()}
        deadline = time.monotonic() + READY_S_MAX
        while True:
            try:
                self.admin.create_topics([NewTopic(name, partitions, 1, config=words)])[name].result(30)
                break
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        while True:
            known = self.admin.list_topics(name, timeout=10).topics[name]
            if known.error is None and sum(p.leader >= 0 for p in known.partitions.values()) == partitions:
                return
            assert time.monotonic() < deadline, f"topic {name} has no leaders"
            time.sleep(0.05)

    def close(self) -> None:
        """Remove what was started. May be called twice."""
        atexit.unregister(self.close)
        if self._node is not None:
            self._node.remove()
            self._node = None


def main() -> int:
    """Run a broker until Ctrl-C (or SIGTERM)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("Starting Apache Kafka (the first time, its jars are fetched) …", flush=True)
    try:
        broker = Broker(own=True, port=free_port(9092))
    except NoBroker as reason:
        print(reason, file=sys.stderr)
        return 5
    except KeyboardInterrupt:
        return 130
    print(f"Kafka answers at {broker.bootstrap}. Ctrl-C stops it and deletes its data. For example:")
    print(f'  log = "kafka://{broker.bootstrap}/elec2"    in [source] of tidemark.toml, then')
    print(f"  tidemark produce elec2.csv.gz\n  KAFKA_BOOTSTRAP_SERVERS={broker.bootstrap} make test", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("\nStopping …", flush=True)
    finally:
        broker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
