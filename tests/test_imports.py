"""Which process loads what: who only reads needs no river, who only looks needs no compiler. No clock is asked."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

import learners
import store
from stream.backtest.course import lay_out
from stream.backtest.parcels import receive, unwrap
from stream.backtest.range import Wishes
from stream.backtest.reader import Errand
from stream.backtest.spawned import context, pipe
from stream.commands.backtesting import opened_anyway
from stream.sources import open_feed
from tests.stream.test_backtest import LINEAR, SHORT
from tests.stream.test_readahead import write
from tests.world import World

ROOT = Path(__file__).parents[1]
LEARNS = {"river", "scipy", "pandas"}
KEEPS = {"sqlalchemy", "alembic", "psycopg"}
TALKS = {"typer", "rich", "structlog"}
COMPILES = {"numba", "llvmlite"}
KAFKA = {"confluent_kafka"}


def loaded(code: str) -> set[str]:
    """Return the packages that are loaded once this was run."""
    told = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{told}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("code", "needless"),
    [
        ("import stream.cli", LEARNS | KEEPS | COMPILES | KAFKA | {"numpy"}),
        ("import learners, learners.compiled, learners.bulk, learners.table", LEARNS | COMPILES),
        ("from learners import LearnFailed, LabelPolicy, Turn", LEARNS | COMPILES),
        ("from learners.compiled.building import main; import learners.compiled.slots_kernel", LEARNS | COMPILES),
        ("import store; from store import Version, Segment; import store.entries", KEEPS),
        ("import stream.gate, stream.sources, stream.again", LEARNS | KEEPS | TALKS | COMPILES | KAFKA),
        ("import stream.backtest.reader", LEARNS | KEEPS | TALKS | COMPILES | KAFKA),
        ("import stream.backtest.executor", (KEEPS - {"sqlalchemy"}) | TALKS | COMPILES | KAFKA | {"pandas"}),
        ("import stream.commands.showing, stream.commands.moving", LEARNS | COMPILES | KAFKA),
    ],
)
def test_what_is_not_needed_is_not_loaded(code: str, needless: Collection[str]) -> None:
    found = loaded(code)
    assert not found & set(needless)
    assert found & {"stream", "learners", "store"}


def received(pipe: Any) -> Iterator[Any]:
    with suppress(EOFError):
        while True:
            yield unwrap(receive(pipe))


def test_a_process_that_reads_a_file_loads_nothing_that_learns(tmp_path: Path) -> None:
    """The very process, on a real errand, to its end."""
    world = World(tmp_path)
    world.configure(log="file:events.jsonl", learner=LINEAR, more=SHORT)
    write(world.folder / "events.jsonl", 3000)
    with (
        opened_anyway(world.config) as (config, model),
        closing(open_feed(config, until_end=True, group="test")) as feed,
    ):
        course = lay_out(model, feed, config, Wishes())
    assert course is not None
    ours, theirs = pipe()
    following, taken = context.Value("q", 0), context.Value("q", 0)
    found = tmp_path / "modules.json"
    code = (
        "from stream.backtest.reader import be\nbe(errand, pipe, following, taken)\n"
        f"import json, pathlib, sys\npathlib.Path({str(found)!r}).write_text(json.dumps(list(sys.modules)))"
    )
    errand = Errand(config, course, (0, []), "test")
    given = {"errand": errand, "pipe": theirs, "following": following, "taken": taken}
    process = context.Process(target=exec, args=(code, given))
    process.start()
    theirs.close()
    told = list(received(ours))
    process.join()
    assert told.count(None) == len(course.stretches) < len(told)
    modules = {name.split(".")[0] for name in json.loads(found.read_text())}
    assert "msgspec" in modules
    assert not modules & (LEARNS | KEEPS | COMPILES | KAFKA)


@pytest.mark.parametrize("package", [learners, store])
def test_what_a_package_gives_is_what_its_stub_says(package: object) -> None:
    path = Path(str(package.__file__))  # type: ignore[attr-defined]
    stub = ast.parse(path.with_suffix(".pyi").read_text(encoding="utf-8"))
    told = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == package._HOME  # type: ignore[attr-defined]
    assert sorted(told) == sorted(package.__all__)  # type: ignore[attr-defined]
    for name in told:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing  # type: ignore[attr-defined]
