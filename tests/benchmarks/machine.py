"""What a measurement was made on and when: it stands beside every figure."""

from __future__ import annotations

import os
import platform
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

POM = Path(__file__).parents[1] / "kafka" / "pom.xml"
PACKAGES = ("tidemark", "river", "numpy", "numba", "confluent-kafka", "msgspec", "orjson")


def machine() -> dict[str, Any]:
    """Return date, processor, cores, memory, and the versions of what is measured."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "load": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}, **_kafka()},
    }


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    if about.is_file():
        for line in about.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _kafka() -> dict[str, str]:
    """Return the version of the broker that the tests start, unless another one is used."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return {}
    space = "{http://maven.apache.org/POM/4.0.0}"
    for each in ET.parse(POM).iter(f"{space}dependency"):
        if each.findtext(f"{space}artifactId", "").startswith("kafka_"):
            return {"Apache Kafka": each.findtext(f"{space}version", "")}
    return {}
