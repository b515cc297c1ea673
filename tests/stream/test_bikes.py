"""The published bikes tables, at every checkpoint: 182,470 real events, labels at once and 30 minutes late."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "column", "aggregate", "rate", "delayed", "unsupervised"),
    [
        (DEFAULT, "B1_immediate_mae", False, 0.001, False, "label"),
        (DEFAULT, "B2_targetagg_immediate_mae", True, 0.001, False, "label"),
        (NOTEBOOK, "B1_immediate_mae", False, 0.001, False, "question"),
        (NOTEBOOK, "B2_targetagg_immediate_mae", True, 0.001, False, "question"),
        (NOTEBOOK, "B3_targetagg_delay30min_mae", True, 0.01, True, "question"),
        (DEFAULT, "B3_targetagg_delay30min_mae", True, 0.01, True, "label"),
        (DEFAULT, "B3_lr0.001_delay30min_mae", True, 0.001, True, "label"),
    ],
)
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
    with (shared_data / "tables" / table).open() as lines:
        published = [(int(line["step"]), float(line[column])) for line in csv.DictReader(lines)]
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
    series = {point["events"]: point["scores"]["MAE"]["cumulative"] for point in world.json("scores")}
    assert len(published) == 10
    for step, mae in published:
        assert series[step] == pytest.approx(mae, abs=1e-6), step
