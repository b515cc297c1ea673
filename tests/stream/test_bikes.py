"""The published bikes tables, at every checkpoint: 182,470 real events, labels at once and 30 minutes late."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from stream.kafka import KafkaWriter
from tests.kafka.broker import Broker
from tests.world import World, read_csv

MODEL = """
from river import compose, feature_extraction, linear_model, optim, preprocessing, stats

def get_hour(x):
    return {{**x, "hour": x["moment"].hour}}

def make():
    model = compose.Select("clouds", "humidity", "pressure", "temperature", "wind")
    if {aggregate}:
        model += get_hour | feature_extraction.TargetAgg(by=["station", "hour"], how=stats.Mean())
    return model | preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD({rate}))
"""
NOTEBOOK = "river_bikes_notebook.csv"
DEFAULT = "river_bikes_0.26.1_default_semantics_computed_here.csv"
NUMBERS = ("clouds", "humidity", "pressure", "temperature", "wind", "bikes")
DELAYED = '[labels]\nmoment = "known_at"'


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """The events as JSON lines, each with the time at which its label is known."""
    path = tmp_path_factory.mktemp("bikes") / "bikes.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for line in read_csv(shared_data / "bikes_toulouse.csv.gz"):
            at = datetime.fromisoformat(line["moment"])
            text = {"moment": at.isoformat(), "station": line["station"], "description": line["description"]}
            numbers = {
                key: float(line[key]) for key in ("clouds", "humidity", "pressure", "temperature", "wind", "bikes")
            }
            out.write(json.dumps({**text, **numbers, "known_at": (at + timedelta(minutes=30)).isoformat()}) + "\n")
    return path


COLUMNS = [
    (DEFAULT, "B1_immediate_mae", False, 0.001, False, "label"),
    (DEFAULT, "B2_targetagg_immediate_mae", True, 0.001, False, "label"),
    (NOTEBOOK, "B1_immediate_mae", False, 0.001, False, "question"),
    (NOTEBOOK, "B2_targetagg_immediate_mae", True, 0.001, False, "question"),
    (NOTEBOOK, "B3_targetagg_delay30min_mae", True, 0.01, True, "question"),
    (DEFAULT, "B3_targetagg_delay30min_mae", True, 0.01, True, "label"),
    (DEFAULT, "B3_lr0.001_delay30min_mae", True, 0.001, True, "label"),
]
"""Table, its column, whether the model aggregates, its rate, whether labels come late, when scalers learn."""


def published(shared_data: Path, table: str, column: str) -> list[tuple[int, float]]:
    with (shared_data / "tables" / table).open() as lines:
        return [(int(line["step"]), float(line[column])) for line in csv.DictReader(lines)]


def assert_published(world: World, expected: list[tuple[int, float]]) -> None:
    series = {point["events"]: point["scores"]["MAE"]["cumulative"] for point in world.json("scores")}
    assert len(expected) == 10
    for step, mae in expected:
        assert series[step] == pytest.approx(mae, abs=1e-6), step


@pytest.mark.slow
@pytest.mark.parametrize(("table", "column", "aggregate", "rate", "delayed", "unsupervised"), COLUMNS)
def test_every_checkpoint(
    tmp_path: Path,
    bikes: Path,
    shared_data: Path,
    table: str,
    column: str,
    aggregate: object,
    rate: float,
    delayed: object,
    unsupervised: str,
) -> None:
    (tmp_path / "bike_model.py").write_text(MODEL.format(aggregate=aggregate, rate=rate))
    world = World(tmp_path)
    world.configure(
        log=f"file:{bikes}",
        task="regression",
        target="bikes",
        learner="bike_model:make",
        more=f'moment = "moment"\nignore = ["description", "known_at"]\n{DELAYED if delayed else ""}\n'
        f'[validation]\nmetrics = ["MAE"]\nwindow = 20000\nunsupervised = "{unsupervised}"',
    )
    world.train(*(["--close"] if delayed else []))
    assert_published(world, published(shared_data, table, column))


@dataclass(frozen=True)
class Topics:
    """The events without labels, and the labels, at once and 30 minutes later."""

    broker: Broker
    events: str
    labels: dict[bool, str]


@pytest.fixture(scope="module")
def topics(kafka: Broker, bikes: Path) -> Topics:
    found = Topics(kafka, kafka.topic(), {late: kafka.topic() for late in (False, True)})
    writers = [KafkaWriter(kafka.bootstrap, topic, settings={}) for topic in (found.events, *found.labels.values())]
    with bikes.open("rb") as lines:
        for number, line in enumerate(lines):
            event = json.loads(line)
            label, known_at = event.pop("bikes"), event.pop("known_at")
            writers[0].write(json.dumps({**event, "id": number}).encode())
            for writer, at in zip(writers[1:], (event["moment"], known_at), strict=True):
                writer.write(json.dumps({"id": number, "bikes": label, "known_at": at}).encode())
    for writer in writers:
        writer.close()
    return found


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.parametrize(("table", "column", "aggregate", "rate", "delayed", "unsupervised"), COLUMNS)
def test_every_checkpoint_through_two_topics(
    tmp_path: Path,
    topics: Topics,
    shared_data: Path,
    table: str,
    column: str,
    aggregate: object,
    rate: float,
    delayed: bool,  # noqa: FBT001 - a parameter of the table
    unsupervised: str,
) -> None:
    (tmp_path / "bike_model.py").write_text(MODEL.format(aggregate=aggregate, rate=rate))
    world, address = World(tmp_path), f"kafka://{topics.broker.bootstrap}"
    world.configure(
        log=f"{address}/{topics.events}",
        task="regression",
        target="bikes",
        learner="bike_model:make",
        more=f'moment = "moment"\nid = "id"\nignore = ["description"]\n'
        f'[labels]\nlog = "{address}/{topics.labels[delayed]}"\nmoment = "known_at"\n'
        f'[validation]\nmetrics = ["MAE"]\nwindow = 20000\nunsupervised = "{unsupervised}"',
    )
    world.train("--close")
    assert_published(world, published(shared_data, table, column))
    head = world.json("show", "head")
    assert head["events"] == {"read": 182_470, "learned": 182_470, "held": 0, "pending": 0, "expired": 0}
    assert head["details"]["labels"]["records"]["late"] == head["details"]["labels"]["late"] == 0
