"""A store that has everything that a report can tell, with text from outside that wants to be HTML."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

from store import Accounts, HeldEvent, ModelStore, Proof, ScorePoint, Segment, Store, Version
from tests.store.values import NOON, Clock, child, genesis

EVIL = """</script><img src=x onerror="window.evil=1"><script>window.evil=1</script>"'&amp;<b>"""
DAY_US = 86_400_000_000
CLOCK_US = 1_356_998_400_000_000  # 2013-01-01
SETTINGS = {
    "model.name": "flights",
    "model.task": "binary",
    "model.target": EVIL,
    "source.moment": "departed_at",
    "validation.window": 500,
    "validation.unsupervised": "question",
}
MOVES = [("rewind", f"the sensor lied {EVIL}"), ("undo", "no, it did not"), ("promote", "better than last week's")]


def point(events: int, source: random.Random) -> ScorePoint:
    """Accuracy rises, dips at a drift, and rises again; ROCAUC exists over the window only."""
    drift = 0.12 * math.exp(-(((events - 24_000) / 2500) ** 2))
    accuracy = 0.93 - 0.12 * math.exp(-events / 6000) - drift / 4
    width = 1.2 / math.sqrt(events)
    return ScorePoint(
        events,
        {
            "Accuracy": {
                "cumulative": accuracy,
                "window": accuracy + 0.01 - drift + source.gauss(0, 0.008),
                "since_last": None,
                "faded": accuracy + 0.005 - drift,
                "low": accuracy - width,
                "high": accuracy + width,
            },
            "ROCAUC": {"cumulative": None, "window": 0.9 - drift + source.gauss(0, 0.01), "since_last": None},
        },
        {
            "NoChange": {"Accuracy": {"cumulative": 0.72 + source.gauss(0, 0.002), "window": 0.7}},
            "Prior": {"Accuracy": {"cumulative": 0.806, "window": 0.8}, "ROCAUC": {"cumulative": None, "window": 0.5}},
            "Static": {"Accuracy": {"cumulative": accuracy - 0.03 * (1 - math.exp(-events / 2e4)), "window": None}},
        },
        CLOCK_US + events * DAY_US // 900,
    )


def details() -> dict[str, Any]:
    """What a version tells of its predictions, each key of it."""
    carriers = {EVIL: 1200, "UA": 9100, "B6": 8400, "EV": 8000, "DL": 7300, "AA": 5200, "(other)": 640, "(missing)": 8}
    return {
        "confusion": {"labels": [False, True], "counts": [[30_120, 1_404], [2_006, 5_310]], "window": [[1, 0], [0, 1]]},
        "outputs": {"absent": 3, "not_finite": 1},
        "slices": {
            "carrier": {
                name: {
                    "events": events,
                    "scores": {
                        "Accuracy": {"cumulative": 0.85 + index / 80, "window": 0.84 + index / 70},
                        "ROCAUC": {"cumulative": None, "window": 0.9},
                    },
                }
                for index, (name, events) in enumerate(carriers.items())
            },
            "origin": {
                name: {"events": 13_000, "scores": {"Accuracy": {"cumulative": value, "window": value}}}
                for name, value in (("EWR", 0.89), ("JFK", 0.92), ("LGA", 0.91))
            },
        },
        "intervals": {
            "Accuracy": {"low": 0.91, "high": 0.93, "level": 0.95, "why": None},
            "ROCAUC": {"low": None, "high": None, "level": 0.95, "why": "not a mean of losses"},
        },
        "against": {
            "NoChange": {
                "metric": "Accuracy", "difference": 0.196, "low": 0.188, "high": 0.204, "level": 0.95,
                "better": "model", "events": 38_840, "why": None,
            },
            "Prior": {
                "metric": "Accuracy", "difference": -0.011, "low": -0.019, "high": -0.003, "level": 0.95,
                "better": "Prior", "events": 38_840, "why": None,
            },
            "Static": {
                "metric": "Accuracy", "difference": 0.004, "low": -0.004, "high": 0.012, "level": 0.95,
                "better": None, "events": 38_840, "why": None,
            },
        },
        "static": {"of": "static", "since_learned": 20_000, "events": 18_840},
        "labels": {
            "asked": 39_700, "learned": 38_840, "expired": 320, "pending": 540, "late": 12,
            "clock_us": CLOCK_US + 43 * DAY_US,
            "delay": {
                "edges_s": [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0, 604800.0],
                "counts": [0, 4, 120, 900, 4_100, 13_000, 14_800, 5_500, 400, 16, 0],
            },
            "slices": {
                "carrier": {
                    name: {
                        "asked": events, "learned": events - events // 50, "expired": events // 90,
                        "pending": events // 50 - events // 90, "mean_delay_s": 9000.0 + events,
                    }
                    for name, events in carriers.items()
                }
            },
        },
    }  # fmt: skip


def save(model: ModelStore, clock: Clock, source: random.Random, **changes: Any) -> Version:
    """Save a version that has learned another 1,000 events, with two points."""
    clock.now += timedelta(seconds=40 + source.random() * 30)
    head, ref = model.head()
    learned = head.accounts.learned + 971
    points = tuple(point(events, source) for events in range(500, learned + 1, 500) if events > head.accounts.learned)
    scores = points[-1].scores
    read = head.accounts.read + 1000
    accounts = Accounts(read, learned, head.accounts.held + 2, read - learned - head.accounts.held - 10, 8)
    new = child(
        head,
        events=1000,
        accounts=accounts,
        points=points,
        proof=Proof("00", "[]", scores, points[-1].baselines, changes.pop("details", {})),
        **changes,
    )
    return model.save(new, ref=ref, who="ann")[0]


def told_store(folder: Path) -> tuple[Store, ModelStore]:
    """Make it: 40 versions, a rewind, its undo, a skip, a promotion, held events, and every detail on head."""
    clock, source = Clock(), random.Random(7)
    store = Store.open(f"sqlite:///{folder}/telling.db", create=True, clock=clock)
    model = store.model(f"flights {EVIL}")
    model.create(genesis(), config=SETTINGS, who="ann")
    bad = HeldEvent(
        "t", 0, 10, "malformed", f"not_finite {EVIL}", f"dep_delay: found inf {EVIL}", b"x", 1_700_000_000_000
    )
    save(model, clock, source, held=(bad,), segment=Segment((), (bad.hold(),)), reason=EVIL)
    for _ in range(18):
        save(model, clock, source)
    clock.now += timedelta(seconds=30)
    model.move("head", 14, kind="rewind", who=f"ann {EVIL}", why=MOVES[0][1])
    for _ in range(8):
        save(model, clock, source)
    model.skip(22, who="bob", why="garbage since ten past three", environment={"python": "3.11"})
    model.move("champion", 24, kind="promote", who="bob", why=MOVES[2][1])
    for _ in range(18):
        save(model, clock, source)
    worse = HeldEvent("t", 1, 77, "malformed", "not_json", "expected a JSON object, found garbage", b"{", None)
    held = (worse, HeldEvent("t", 1, 78, "malformed", "not_json", "expected an object", b"{", None))
    save(model, clock, source, details=details(), held=held, segment=Segment((), tuple(each.hold() for each in held)))
    assert clock.now > NOON
    return store, model
