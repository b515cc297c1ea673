"""report --watch: on a real terminal beside a running trainer, and what it shows where no terminal is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from store import ModelStore
from store.errors import StoreUnreachable
from stream.commands import watching
from tests.stream.telling import told_store
from tests.stream.test_live import idle_at, opened
from tests.stream.test_report import WINDOWED, stream
from tests.world import World, end, until

ROOT = Path(__file__).parents[2]


class Terminal:
    """`tidemark …` on a terminal of its own; `text` is all that it wrote."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._end, of_command = os.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "150", "LINES": "50", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "stream.cli", *arguments]
        files = {"stdin": of_command, "stdout": of_command, "stderr": of_command}
        self.process = subprocess.Popen(command, cwd=folder, env=environment, **files)
        os.close(of_command)
        self.text = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._end, 65536):
                self.text += chunk.decode("utf-8", "replace")
        except OSError:  # Linux says so when the other side is closed
            pass

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        os.close(self._end)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[ModelStore]:
    store, model = told_store(tmp_path)
    yield model
    store.close()


def test_it_follows_a_trainer_and_a_rollback_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(1000))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    trainer = world.start("train")
    model = until(lambda: opened(world), process=trainer)
    until(lambda: idle_at(model, 1000), process=trainer)
    view = Terminal(tmp_path, "report", "--watch")
    try:
        until(lambda: "Accuracy" in view.text and "idle" in view.text)
        assert f"v{model.head()[0].version}" in view.text
        world.run("rollback", "2", "--reason", "lies")
        until(lambda: "rewind" in view.text and "lies" in view.text)
        view.process.send_signal(signal.SIGINT)
        assert view.process.wait(30) == 0
        assert "Traceback" not in view.text
    finally:
        view.close()
    end(trainer)


def test_without_a_terminal_it_shows_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", stream(400))
    world.configure(log="file:events.jsonl", more=WINDOWED)
    world.train()
    shown = world.json("show", "head")
    text = world.run("report", "--watch").stdout
    for metric, score in shown["scores"].items():
        (line,) = [line for line in text.splitlines() if line.startswith(metric)]
        assert f"{score['window']:.4f}" in line
    assert "stopped" in text
    assert world.run("report", "--watch", "--json", code=2).stderr
    assert "--watch" in world.run("report", "2", "--watch", code=2).stderr


def text_of(frame: object) -> str:
    out = Console(file=StringIO(), width=160)
    out.print(frame)
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


def test_the_frame_has_what_the_store_has(told: ModelStore) -> None:
    now = told.head()[0].created_at + timedelta(minutes=3)
    text = text_of(watching.frame("flights", watching.Eye(told).look(now)))
    head = told.head()[0]
    for expected in ("never ran", "head v48", "champion v24", f"{head.accounts.read:,}", "3 min ago", "skip"):
        assert expected in text, expected
    windows = [point.scores["Accuracy"]["window"] for _, point in told.points(head.version)][-watching.POINTS :]
    assert watching.spark(windows) in text
    assert "</script>" in text_of(watching.frame("x", watching.Eye(told).look(now)))


def test_what_no_move_changed_is_read_once(told: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    points = told.points
    monkeypatch.setattr(told, "points", lambda *a, **k: (reads.append(1), points(*a, **k))[1])
    eye = watching.Eye(told)
    one = eye.look(datetime.now(UTC))
    two = eye.look(datetime.now(UTC))
    assert (len(reads), one.points) == (1, two.points)
    told.move("head", 2, kind="rewind", who="ann", why="")
    assert eye.look(datetime.now(UTC)).head.version == 2
    assert len(reads) == 2


def test_a_store_that_does_not_answer_is_waited_for(told: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    eye = watching.Eye(told)
    looks = iter([None, StoreUnreachable("no route"), None])
    look = eye.look

    def sometimes(now: datetime) -> watching.Seen:
        if (error := next(looks)) is not None:
            raise error
        return look(now)

    def sleep(_: float) -> None:
        slept.append(out.file.tell())
        if len(slept) == 3:
            raise KeyboardInterrupt

    slept: list[int] = []
    out = Console(file=StringIO(), width=160, force_terminal=True)
    monkeypatch.setattr(eye, "look", sometimes)
    with pytest.raises(KeyboardInterrupt):
        watching._watch("flights", eye, out, sleep)
    assert isinstance(out.file, StringIO)
    text = out.file.getvalue()
    during = text[slept[0] : slept[1]]
    assert "does not answer" in during
    assert "head" in during
    assert "does not answer" not in text[slept[1] : slept[2]].rpartition("events/s")[2]
