"""One broker process: of the image apache/kafka, or of the jars from Maven Central.

Stopped by its own process id or container name. `NoBroker` says what is missing.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".kafka"
IMAGE = "apache/kafka:4.1.0"
READY_S_MAX = 60.0
STOP_S_MAX = 15.0
JARS_S_MAX = 540.0
LOG_LINES_SHOWN = 40
JAVA = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN")
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "min.insync.replicas": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "log.retention.check.interval.ms": "1000",
    "log.cleaner.backoff.ms": "500",
    "broker.session.timeout.ms": "2000",  # a broker that comes back waits for its old registration to lapse
    "broker.heartbeat.interval.ms": "200",
}


class NoBroker(Exception):
    """No real broker can be had here; the text says what a person can do about it."""


class Node(Protocol):
    """One broker process that can be stopped and started again on the same data and port."""

    def start(self) -> None:
        """Start; returns before the broker answers."""
        ...

    def stop(self) -> None:
        """Stop within a deadline; the data stay."""
        ...

    def ended(self) -> bool:
        """Whether the process is gone."""
        ...

    def log(self) -> str:
        """Return the end of the broker's log."""
        ...

    def remove(self) -> None:
        """Stop and delete the data."""
        ...


def settings(listen: str, address: str, port: int, controller: int) -> dict[str, str]:
    """Return the properties of a broker reached at `address:port`."""
    return SETTINGS | {
        "controller.quorum.voters": f"1@{address}:{controller}",
        "listeners": f"PLAINTEXT://{listen}:{port},CONTROLLER://{listen}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{address}:{port},CONTROLLER://{address}:{controller}",
    }


class JavaNode:
    """Apache Kafka from Maven Central, as a child process in a session of its own."""

    def __init__(self, port: int) -> None:
        self._jars = jars()
        self._home = Path(tempfile.mkdtemp(prefix="tidemark-kafka-"))
        self._log = self._home / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        lines = settings("127.0.0.1", "127.0.0.1", port, free_port()) | {"log.dirs": str(self._home / "data")}
        self._properties = self._home / "server.properties"
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        cluster = "T" + cluster[1:]  # an id that begins with "-" would be read as an option
        self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties)).wait(READY_S_MAX)

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                ["java", *JAVA, "-cp", f"{self._jars}/*", main, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                env=environment,
                start_new_session=True,
            )

    def start(self) -> None:
        self._process = self._java("kafka.Kafka", str(self._properties))

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S_MAX)
        self._process = None

    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def log(self) -> str:
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)


class DockerNode:
    """The image apache/kafka in a container of its own."""

    def __init__(self, port: int) -> None:
        self._name = f"tidemark-kafka-{uuid.uuid4().hex[:8]}"
        properties = settings("0.0.0.0", "127.0.0.1", port, 9093)
        names = {f"KAFKA_{key.replace('.', '_').upper()}": value for key, value in properties.items()}
        variables = [word for key, value in names.items() for word in ("-e", f"{key}={value}")]
        docker("create", "--name", self._name, "-p", f"127.0.0.1:{port}:{port}", *variables, IMAGE)

    def start(self) -> None:
        docker("start", self._name)

    def stop(self) -> None:
        docker("stop", "-t", str(int(STOP_S_MAX)), self._name)

    def ended(self) -> bool:
        return docker("inspect", "-f", "{{.State.Running}}", self._name).strip() != "true"

    def log(self) -> str:
        return docker("logs", "--tail", str(LOG_LINES_SHOWN), self._name)

    def remove(self) -> None:
        docker("rm", "-f", "-v", self._name)


def new_node(port: int) -> Node:
    """Return a node, not yet started, by Docker or by Maven and Java. Raises `NoBroker`."""
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return DockerNode(port)
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if "java" in missing or (missing and not library().is_dir()):
        raise NoBroker(
            "no Kafka broker: set KAFKA_BOOTSTRAP_SERVERS to a running one, or start Docker, "
            f"or install {' and '.join(missing)} (apt-get install maven default-jre-headless)"
        )
    return JavaNode(port)


def docker(*arguments: str) -> str:
    """Run docker; returns what it printed. Raises `NoBroker` with its complaint."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoBroker(f"docker {' '.join(arguments[:1])} failed: {done.stderr.strip()}")
    return done.stdout + done.stderr


def library() -> Path:
    """Return the folder of the broker's jars, one for every state of pom.xml."""
    return CACHE / f"libs-{hashlib.sha256((HERE / 'pom.xml').read_bytes()).hexdigest()[:12]}"


def jars() -> Path:
    """Fetch the broker's jars from Maven Central once; appears whole, by a rename. Raises `NoBroker`."""
    folder = library()
    if folder.is_dir():
        return folder
    CACHE.mkdir(exist_ok=True)
    with _alone(), tempfile.TemporaryDirectory(dir=CACHE) as work:
        if folder.is_dir():
            return folder
        fetched = Path(work) / "libs"
        command = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=JARS_S_MAX)
        if done.returncode != 0:
            raise NoBroker(f"Maven could not fetch the broker (is there a network?): {done.stdout[-1000:]}")
        fetched.rename(folder)
    return folder


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process fetches: two at once would share Maven's repository."""
    with (CACHE / "fetching").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port(wanted: int = 0) -> int:
    """Return `wanted` if it is free, else another free port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])
