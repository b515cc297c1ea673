"""Published figures, reproduced: from a file, by the command line. The same from Kafka stands in tests/kafka."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.world import World, read_csv

POSITIVE_UP = 'positive = "UP"'
REGRESSION = "preprocessing.StandardScaler() | linear_model.LinearRegression()"


def checkpoints(shared_data: Path) -> list[tuple[int, float, float]]:
    with (shared_data / "tables/river_docs_elec2_logreg_checkpoints.csv").open() as lines:
        return [(int(line["step"]), float(line["accuracy"]), float(line["f1"])) for line in csv.DictReader(lines)]


def assert_elec2(world: World, shared_data: Path) -> None:
    """The published model on elec2: final figures and all 51 checkpoints, to 1e-12."""
    shown = world.json("show", "head")
    assert shown["events"] == {"read": 45_312, "learned": 45_312, "held": 0, "pending": 0, "expired": 0}
    assert shown["scores"]["Accuracy"]["cumulative"] == pytest.approx(0.8221442443502824, abs=1e-12)
    assert shown["scores"]["F1"]["cumulative"] == pytest.approx(0.7770862722319033, abs=1e-12)
    assert shown["baselines"]["NoChange"]["Accuracy"]["cumulative"] == pytest.approx(0.853303, abs=1e-6)
    series = world.json("scores")
    published = checkpoints(shared_data)
    assert len(published) == 51
    assert [point["events"] for point in series] == [step for step, _, _ in published]
    for point, (_, accuracy, f1) in zip(series, published, strict=True):
        assert point["scores"]["Accuracy"]["cumulative"] == pytest.approx(accuracy, abs=1e-12)
        assert point["scores"]["F1"]["cumulative"] == pytest.approx(f1, abs=1e-12)


ELEC2_VALIDATION = '[validation]\nmetrics = ["Accuracy", "F1"]\nwindow = 906\n[snapshots]\nevery_events = 10000'


def test_elec2_from_a_file(tmp_path: Path, shared_data: Path) -> None:
    world = World(tmp_path, "elec2")
    world.configure(
        log=f"file:{shared_data / 'elec2.csv.gz'}", target="class", model=POSITIVE_UP, more=ELEC2_VALIDATION
    )
    world.train()
    assert_elec2(world, shared_data)


def test_elec2_produced_into_a_directory_of_json(tmp_path: Path, shared_data: Path) -> None:
    world = World(tmp_path, "elec2")
    world.configure(log="file:topics/elec2/", target="class", model=POSITIVE_UP, more=ELEC2_VALIDATION)
    assert world.json("produce", str(shared_data / "elec2.csv.gz"))["events"] == 45_312
    world.train()
    assert_elec2(world, shared_data)


def test_phishing(tmp_path: Path, shared_data: Path) -> None:
    world = World(tmp_path)
    world.configure(log=f"file:{shared_data / 'phishing_river.csv.gz'}", target="is_phishing")
    world.train()
    scores = world.json("show", "head")["scores"]
    assert scores["Accuracy"]["cumulative"] == pytest.approx(0.8872, abs=1e-12)
    assert scores["F1"]["cumulative"] == pytest.approx(0.871233, abs=5e-7)


@pytest.mark.parametrize(
    ("file", "target", "dataset"),
    [("chick_weights", "weight", "ChickWeights"), ("trump_approval", "five_thirty_eight", "TrumpApproval")],
)
def test_regression(tmp_path: Path, shared_data: Path, file: str, target: str, dataset: str) -> None:
    with (shared_data / "tables/river_docs_regression_final.csv").open() as lines:
        published = {
            line["model"]: (line["mae"], line["rmse"], line["r2"])
            for line in csv.DictReader(lines)
            if line["dataset"] == dataset
        }
    world = World(tmp_path)
    world.configure(
        log=f"file:{shared_data / f'{file}.csv.gz'}",
        task="regression",
        target=target,
        learner=REGRESSION,
        more='[validation]\nmetrics = ["MAE", "RMSE", "R2"]',
    )
    world.train()
    shown = world.json("show", "head")
    for mine, table in (
        (shown["scores"], "Linear Regression"),
        (shown["baselines"]["Mean"], "[baseline] Mean predictor"),
    ):
        for metric, printed in zip(("MAE", "RMSE", "R2"), published[table], strict=True):
            assert f"{mine[metric]['cumulative']:.6g}" == f"{float(printed):.6g}", (table, metric)


def test_the_file_is_what_the_tables_were_made_from(shared_data: Path) -> None:
    assert len(read_csv(shared_data / "elec2.csv.gz")) == 45_312
