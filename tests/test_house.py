"""The house is in order: sizes, documentation, what the project says of itself."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer.main
import yaml
from pydantic import BaseModel

from stream.cli import app
from stream.config import Config, read_config
from tests.world import World

ROOT = Path(__file__).parents[1]
PACKAGES = ("stream", "learners", "store")
MODULE_LINES_MAX = 301
FUNCTION_LINES_MAX = 46
"""Both only ever tighten."""


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def test_modules_and_functions_are_small() -> None:
    long = []
    for path in sources():
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MODULE_LINES_MAX:
            long.append(f"{path}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                docstring = len((ast.get_docstring(node) or "").splitlines())
                if lines - docstring > FUNCTION_LINES_MAX and "migrations" not in path.parts:
                    long.append(f"{path}:{node.lineno} {node.name}: {lines - docstring} lines")
    assert not long


def test_outside_libraries_stay_in_their_rooms() -> None:
    rooms = {"confluent_kafka": "stream/kafka/", "river": "learners/", "sqlalchemy": "store/"}
    for path in sources():
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        for library, room in rooms.items():
            if library in imported:
                assert path.relative_to(ROOT).as_posix().startswith(room), (path, library)


def commands() -> list[str]:
    group = typer.main.get_command(app)
    names = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        names += [f"{name} {sub}" for sub in command.commands] if hasattr(command, "commands") else [name]
    return names


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"`tidemark {command}" in (ROOT / "README.md").read_text(encoding="utf-8")


def settings() -> list[str]:
    found = []
    for name, field in Config.model_fields.items():
        table = next((each for each in (field.annotation, *get_args(field.annotation)) if isinstance(each, type)), None)
        if isinstance(table, type) and issubclass(table, BaseModel):
            found += [f"{name}.{key}" for key in table.model_fields]
    return [*found, "schema.<field>", "schema.unknown"]


@pytest.mark.parametrize("setting", settings())
def test_every_setting_is_documented_with_its_default(setting: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = [line for line in readme.splitlines() if line.startswith(f"| `{setting}`")]
    table, _, key = setting.partition(".")
    default = (
        getattr(Config.model_fields[table].annotation, "model_fields", {}).get(key)
        if table in Config.model_fields
        else None
    )
    if default is not None and isinstance(default.default, int) and default.default is not True:
        assert str(default.default) in line


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_runs(tmp_path: Path, shared_data: Path) -> None:
    """Its configuration, its commands, its Python, in an empty folder."""
    world = World(tmp_path, "phishing")
    first, production, joined = blocks("toml")
    world.config.write_text(first, encoding="utf-8")
    assert read_config(world.config).model.name == "phishing"
    assert set(tomllib.loads(production)) == {"source", "store"}
    labels_apart = Config(**{**tomllib.loads(first), **tomllib.loads(joined)})
    assert labels_apart.label_fields == ("flight_id", labels_apart.model.target, "arrived_at")
    world.run("produce", str(shared_data / "phishing_river.csv.gz"))
    begin = next(block for block in blocks("sh") if "tidemark train" in block)
    for line in begin.splitlines():
        world.run(*line.split("#")[0].split()[1:])
    assert world.json("show", "head")["scores"]["Accuracy"]["cumulative"] == pytest.approx(0.8872)
    (python,) = blocks("python")
    (tmp_path / "script.py").write_text(python, encoding="utf-8")
    here = {**os.environ, "PYTHONPATH": str(ROOT)}  # this project, wherever it is installed from
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "script.py"],
        cwd=tmp_path,
        env=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Prediction(y_pred=" in done.stdout, done.stderr


def test_compose_is_as_the_readme_says() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert set(services) == {"kafka", "postgres", "trainer"}
    assert services["kafka"]["image"].startswith("apache/kafka:4.")
    assert services["trainer"]["environment"]["TIDEMARK_STORE__URL"].startswith("postgresql+psycopg://")
    assert "USER tidemark" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_locks_pin_by_hash_and_carry_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in lock
        pins = re.findall(r"^[a-z0-9][^\s;]*==\S+.*\\$", lock, re.MULTILINE)
        assert len(pins) > 20
        assert lock.count("--hash=sha256:") >= len(pins)


def test_the_project_speaks_of_itself_alone() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yml", ""} and path.name != Path(__file__).name and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"/work/|farm-|/\.library", text), name
