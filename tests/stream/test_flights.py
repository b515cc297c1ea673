"""The demo's events: the arrival that we compute is the one that the airport's clock showed."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from stream.commands import demo, flights
from stream.commands.flights import _data, _event, _lines
from stream.config import read_config


def test_arrivals_are_what_the_clock_at_the_destination_showed() -> None:
    with (_data() / "airports.csv").open(encoding="utf-8") as lines:
        zones = {airport["faa"]: airport["tzone"] for airport in csv.DictReader(lines)}
    right = seen = 0
    for flight, _ in zip(_lines(_data() / "flights.csv.zip"), range(20_000), strict=False):
        if flight["arr_time"] in ("", "NA") or flight["arr_delay"] in ("", "NA") or flight["dest"] not in zones:
            continue
        zone = ZoneInfo(zones[flight["dest"]])
        arrived = datetime.fromisoformat(_event(flight, zone)["arrived_at"]).astimezone(zone)
        seen += 1
        right += f"{arrived.hour}{arrived.minute:02}".lstrip("0") == flight["arr_time"].replace("2400", "0").lstrip("0")
    assert seen > 18_000
    assert right / seen > 0.999


def test_events_come_in_the_order_of_departure_and_some_never_get_a_label() -> None:
    events = flights.flights(5_000)
    assert len(events) == 5_000
    assert events == sorted(events, key=lambda event: event["departed_at"])
    assert all(event.get("arrived_at", "9") >= event["departed_at"] for event in events)
    assert 0 < sum("late" not in event for event in events) < 100
    json.dumps(events)


def test_after_january_comes_february() -> None:
    """The package lists October there."""
    months = [event["departed_at"][:7] for event in flights.flights(30_000)]
    assert (months[0], months[-1]) == ("2013-01", "2013-02")


def test_the_demo_s_configuration_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "tidemark.toml"
    path.write_text(demo.CONFIG.format(log="flights", store="tidemark", every=5_000))
    config = read_config(path)
    assert config.labels is not None
    assert config.labels.moment == "arrived_at"
