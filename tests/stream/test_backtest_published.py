"""Published figures, and river's own, through the command: several candidates in one pass over the log."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from river import drift, forest, metrics, naive_bayes, tree

from tests.world import ELEC2, World, read_csv

SCALED = "preprocessing.StandardScaler() | "
NAMES = {
    "Logistic regression": "live",
    "ALMA": SCALED + "linear_model.ALMAClassifier()",
    "[baseline] Last Class": "dummy.NoChangeClassifier()",
    "Naive Bayes": "naive_bayes.GaussianNB()",
}
"""The published models that this version of river has exactly, in the notation of a candidate."""


def table(path: Path) -> Iterator[dict[str, str]]:
    with path.open() as lines:
        yield from csv.DictReader(lines)


def options(candidates: list[str]) -> list[str]:
    return [word for candidate in candidates for word in ("--learner", candidate)]


def cumulative(scores: dict[str, Any]) -> dict[str, float]:
    return {metric: spans["cumulative"] for metric, spans in scores.items()}


def on_elec2(world: World, shared_data: Path) -> None:
    world.configure(log=f"file:{shared_data / 'elec2.csv.gz'}", target="class", model='positive = "UP"', learner=ELEC2)


def on_phishing(world: World, shared_data: Path) -> None:
    world.configure(log=f"file:{shared_data / 'phishing_river.csv.gz'}", target="is_phishing", learner=ELEC2)


@pytest.mark.parametrize(
    ("dataset", "configure", "models", "events"),
    [
        ("Elec2", on_elec2, ["Logistic regression", "ALMA", "[baseline] Last Class"], 45_312),
        ("Phishing", on_phishing, list(NAMES), 1_250),
    ],
)
def test_published_rows_in_one_pass(
    tmp_path: Path,
    shared_data: Path,
    dataset: str,
    configure: Callable[[World, Path], None],
    models: list[str],
    events: int,
) -> None:
    rows = table(shared_data / "tables/river_docs_binary_final.csv")
    published = {row["model"]: row for row in rows if row["dataset"] == dataset}
    world = World(tmp_path)
    configure(world, shared_data)
    found = world.json("backtest", *options([NAMES[model] for model in models]), "--workers", "1")
    assert found["events"] == events
    assert found["replays_live"] is None
    told = {model: cumulative(each["scores"]) for model, each in zip(models, found["candidates"], strict=True)}
    told["no candidate, but the baseline"] = cumulative(found["baselines"]["NoChange"])
    for model, scores in told.items():
        row = published.get(model, published["[baseline] Last Class"])
        for metric, printed in (("Accuracy", row["accuracy"]), ("F1", row["f1"])):
            assert f"{scores[metric]:.6g}" == f"{float(printed):.6g}", (model, metric)


TREES: dict[str, Callable[[], Any]] = {
    "tree.HoeffdingTreeClassifier()": tree.HoeffdingTreeClassifier,
    "tree.HoeffdingAdaptiveTreeClassifier(seed=42)": lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=42),
    "forest.ARFClassifier(n_models=3, seed=42)": lambda: forest.ARFClassifier(n_models=3, seed=42),
    "naive_bayes.GaussianNB()": naive_bayes.GaussianNB,
    "drift.DriftRetrainingClassifier(tree.HoeffdingTreeClassifier(), drift.binary.DDM())": lambda: (
        drift.DriftRetrainingClassifier(tree.HoeffdingTreeClassifier(), drift.binary.DDM())
    ),
}


def bare(model: Any, examples: list[tuple[dict[str, float], bool]]) -> dict[str, float]:
    """River alone: predict, score, learn."""
    scores: dict[str, Any] = {name: getattr(metrics, name)() for name in ("Accuracy", "F1")}
    for x, y in examples:
        answer = model.predict_one(x)
        if answer is not None:
            for metric in scores.values():
                metric.update(y, answer)
        model.learn_one(x, y)
    return {name: metric.get() for name, metric in scores.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "target", "positive", "events", "configure"),
    [("elec2", "class", "UP", 2_000, on_elec2), ("phishing_river", "is_phishing", "1", 1_250, on_phishing)],
)
def test_trees_and_forests_are_river_s_own(
    tmp_path: Path,
    shared_data: Path,
    file: str,
    target: str,
    positive: str,
    events: int,
    configure: Callable[[World, Path], None],
) -> None:
    examples = [
        ({name: float(value) for name, value in line.items() if name != target}, line[target] == positive)
        for line in read_csv(shared_data / f"{file}.csv.gz")[:events]
    ]
    world = World(tmp_path)
    configure(world, shared_data)
    found = world.json("backtest", *options(list(TREES)), "--to", str(events), "--workers", "2")
    assert found["events"] == events
    for each, (text, make) in zip(found["candidates"], TREES.items(), strict=True):
        assert each["learner"] == text
        assert cumulative(each["scores"]) == bare(make(), examples), text


STREAMS = [(concept, how) for concept in ("sine", "mixed") for how in ("abrupt", "gradual")]
EXACT = {
    "NoChange_basic_F": "dummy.NoChangeClassifier()",
    "MajClass_basic_F": "dummy.PriorClassifier()",
    "NB_basic_F": "naive_bayes.GaussianNB()",
}
RETRAINED = "drift.DriftRetrainingClassifier(naive_bayes.GaussianNB(), "
DETECTED = {
    "NB_HDDMW_F": RETRAINED + "drift.binary.HDDMW())",
    "NB_CUSUM_F": RETRAINED + "drift.PageHinkley(mode='up'), train_in_background=False)",
}
"""Detectors of river that come near enough to those of the tables, which are another library's."""

AT_ONCE = ["NB_ADWIN_F", "NB_PH_F"]
"""Rows of detectors that river has not, or has with other thresholds: reset where the table says that they found drift.

They have no warnings: at a drift the model is a new one, while those with warnings train one beforehand.
"""

RESETS = '''
"""naive Bayes that begins anew where a detector said so."""
from river import base, naive_bayes


class ResetAt(base.Wrapper, base.Classifier):
    """`places`: numbers of events, from 0; the new model learns that event first."""

    def __init__(self, model, places):
        self.model, self.places, self.learned = model, places, 0

    @property
    def _wrapped_model(self):
        return self.model

    def predict_proba_one(self, x):
        return self.model.predict_proba_one(x)

    def learn_one(self, x, y):
        if self.learned in self.places:
            self.model = self.model.clone()
        self.model.learn_one(x, y)
        self.learned += 1

'''


def write_resets(folder: Path, rows: dict[str, dict[str, str]]) -> None:
    """Write a module with a factory for each row: its detector found drifts at `drifts`, of the second event on."""
    text = RESETS
    for name in AT_ONCE:
        places = [place + 1 for place in json.loads(rows[name]["drifts"])]
        text += f"\ndef {name}():\n    return ResetAt(naive_bayes.GaussianNB(), {places})\n"
    (folder / "resets.py").write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize(("concept", "how"), STREAMS)
def test_synthetic_streams_with_drift(tmp_path: Path, shared_data: Path, concept: str, how: str) -> None:
    """The first event is asked of a model that knows no label, and so it is not scored, there as here."""
    path = shared_data / f"tables/{concept}_10K_{how}_nb_seed23.csv"
    rows = {row["model"]: row for row in table(path)}
    write_resets(tmp_path, rows)
    world = World(tmp_path)
    world.configure(
        log=f"file:{shared_data / f'synth_{concept}_{how}_10k_seed23.csv.gz'}",
        learner=EXACT["NB_basic_F"],
        more='[validation]\nmetrics = ["Accuracy", "CohenKappa"]',
    )
    texts = {**EXACT, **DETECTED, **{name: f"resets:{name}" for name in AT_ONCE}}
    found = world.json("backtest", *options(list(texts.values())))
    assert found["events"] == 10_000
    for name, each in zip(texts, found["candidates"], strict=True):
        scores, row = cumulative(each["scores"]), rows[name]
        tolerance = 1e-12 if name in EXACT else 0.001
        assert scores["Accuracy"] == pytest.approx(float(row["accuracy"]), abs=tolerance), name
        if name in EXACT:
            assert scores["CohenKappa"] == pytest.approx(float(row["cohen kappa"]), abs=1e-12), name
