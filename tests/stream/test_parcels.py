"""Parcels: what goes through a pipe comes out as it was, however large, and whoever ends first."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from stream.backtest.parcels import receive, send, unwrap, wrap
from stream.backtest.spawned import pipe
from stream.packed import Packed


def through(*many: Any) -> list[Any]:
    """Return what comes out of a pipe for what is sent into it."""
    ours, theirs = pipe()

    def hand_over() -> None:
        for what in many:
            send(theirs, wrap(what))
        theirs.close()

    sender = threading.Thread(target=hand_over)
    sender.start()
    found = [unwrap(receive(ours)) for _ in many]
    with pytest.raises(EOFError):
        receive(ours)
    sender.join()
    ours.close()
    return found


def test_whatever_is_sent_comes_out_in_its_order() -> None:
    numbers = np.random.default_rng(3).normal(size=(400_000, 3))  # more than any pipe takes at once
    sent = [None, {"a": [1, "b"]}, numbers, numbers[:5, ::2], np.zeros((0, 3)), ValueError("why"), np.array([True])]
    found = through(*sent)
    assert found[:2] == sent[:2]
    for place in (2, 3, 4, 6):
        np.testing.assert_array_equal(found[place], sent[place])
        assert found[place].dtype == sent[place].dtype
    assert repr(found[5]) == "ValueError('why')"


def test_arrays_lie_where_processors_like_them_and_may_be_changed() -> None:
    (found,) = through([np.arange(3, dtype=np.uint8), np.arange(7.0), np.arange(5)])
    for each in found:
        assert each.flags.aligned
        assert each.flags.writeable


def test_packed_values_come_out_as_they_were() -> None:
    values = [b"one", b"", b"three", b"vier" * 1000]
    whole, part = through(Packed.of(values), Packed.of(values)[1:3])
    assert (list(whole), whole[2], list(part)) == (values, b"three", values[1:3])
    assert all(type(value) is bytes for value in (*whole, whole[0]))
    assert whole.lengths().tolist() == [3, 0, 5, 4000]


def test_who_sends_is_told_that_nobody_reads() -> None:
    ours, theirs = pipe()
    ours.close()
    with pytest.raises(BrokenPipeError):
        send(theirs, wrap("unheard"))
    theirs.close()
