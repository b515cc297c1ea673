"""Work in a forked process: what comes back, and what is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from stream.forked import CAN_FORK, STDERR, Copy, Forked, Lost

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="forks are for Linux")


def made(forked: Forked) -> object:
    deadline = time.monotonic() + 30
    while not forked.done():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return forked.made()


def test_what_it_made_comes_back_and_here_nothing_has_changed() -> None:
    state = {"a": 1}

    def work() -> tuple[bytes, int, dict[str, int]]:
        state["a"] = 2
        return b"x" * 5_000_000, os.getpid(), state

    forked = Forked.begin(work, within_s=30)
    data, pid, there = made(forked)  # type: ignore[misc]
    assert (data, pid, there) == (b"x" * 5_000_000, forked.pid, {"a": 2})
    assert state == {"a": 1}
    assert not psutil.pid_exists(pid)


def test_it_can_touch_no_file_that_is_open_here(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "open").open("w+b", buffering=0) as file:
        descriptor = file.fileno()

        def work() -> str:
            os.write(1, b"heard")
            os.write(2, b"heard")
            try:
                os.write(descriptor, b"written")
            except OSError as error:
                return type(error).__name__
            return "written"

        assert made(Forked.begin(work, within_s=30)) == "OSError"
    assert (tmp_path / "open").read_bytes() == b""
    assert capfd.readouterr() == ("", "")


def test_the_signals_of_a_terminal_do_not_end_it() -> None:
    def work() -> str:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        return "lived"

    assert made(Forked.begin(work, within_s=30)) == "lived"


def test_what_raises_dies_or_hangs_is_lost_and_reaped() -> None:
    raising = Forked.begin(lambda: 1 // 0, within_s=30)
    with pytest.raises(Lost) as raised:
        made(raising)
    dying = Forked.begin(lambda: os.kill(os.getpid(), signal.SIGKILL), within_s=30)
    with pytest.raises(Lost, match="-9") as died:
        made(dying)
    hanging = Forked.begin(lambda: time.sleep(600), within_s=0.2)
    with pytest.raises(Lost) as hung:
        made(hanging)
    assert (raised.value.raised, died.value.raised, hung.value.raised) == (True, False, False)
    given_up = Forked.begin(lambda: time.sleep(600), within_s=600)
    given_up.abandon()
    for forked in (raising, dying, hanging, given_up):
        assert not psutil.pid_exists(forked.pid)


def test_it_kills_itself_when_its_time_is_up() -> None:
    forked = Forked.begin(lambda: time.sleep(600), within_s=0.2)
    _, status = os.waitpid(forked.pid, 0)
    forked.abandon()
    assert os.waitstatus_to_exitcode(status) == -signal.SIGALRM


def test_a_copy_keeps_what_it_is_told_to_and_ends_when_it_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    ours, theirs = os.pipe()

    def work() -> None:
        os.write(theirs, b"begun")
        os.write(1, b"unheard")
        os.write(2, b"heard")
        time.sleep(60)

    copy = Copy(work, theirs, STDERR)
    os.close(theirs)
    assert os.read(ours, 5) == b"begun"
    time.sleep(0.2)
    copy.kill()
    assert os.read(ours, 5) == b""
    os.close(ours)
    copy.kill()  # once more does nothing
    assert not psutil.pid_exists(copy.pid)
    assert capfd.readouterr() == ("", "heard")


def test_a_copy_ends_when_the_process_that_made_it_is_killed() -> None:
    ours, theirs = os.pipe()

    def work() -> None:
        os.write(theirs, b"begun")
        time.sleep(60)

    def make() -> None:
        copy = Copy(work, theirs)
        os.read(ours, 5)
        os.write(theirs, str(copy.pid).encode())
        time.sleep(60)

    maker = Copy(make, ours, theirs)
    os.close(theirs)
    time.sleep(1)
    pid = int(os.read(ours, 20))
    assert psutil.pid_exists(pid)
    maker.kill()
    assert os.read(ours, 1) == b""  # nobody is left who could write
    os.close(ours)
