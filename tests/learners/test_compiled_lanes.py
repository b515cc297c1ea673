"""The loop that takes eight features side by side: river's bits, and that it is the one which runs usual batches."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.compiled import codes, lanes, linear_kernel
from learners.compiled.ahead import quick_roots
from learners.table import Column, Table
from tests.bits import bits
from tests.learners.test_compiled import LOSSES, MODELS, RAISED, RATES, SCALED, bare, layout, made, numbers_of

pytestmark = pytest.mark.usefixtures("compiled_code")


@st.composite
def recipes(draw: Any, task: str) -> str:
    options = [f"loss=optim.losses.{draw(st.sampled_from(LOSSES[task]))}"]
    options.append(f"optimizer=optim.SGD({draw(st.sampled_from(RATES))})")
    options.append(draw(st.sampled_from(["", "", "l2=0.01", "clip_gradient=0.5"])))
    options.append(draw(st.sampled_from(["", "intercept_lr=0.1", "initializer=optim.initializers.Constant(0.25)"])))
    return f"{SCALED}linear_model.{MODELS[task]}({', '.join(filter(None, options))})"


@pytest.mark.parametrize("task", ["binary", "regression"])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whole_events_are_learned_as_river_learns_them(task: str, data: Any) -> None:
    """Any number of features, some constant, of any size; now and then an event lacks one."""
    text, width = data.draw(recipes(task)), data.draw(st.integers(1, 20))
    count, rng = data.draw(st.integers(2, 120)), np.random.default_rng(data.draw(st.integers(0, 2**32)))
    numbers = rng.normal(size=(count, width)) * 10.0 ** rng.choice([-9, 0, 0, 1, 8], size=width) + rng.normal()
    numbers[:, rng.random(width) < 0.2] = rng.normal()
    numbers[rng.random((count, width)) < data.draw(st.sampled_from([0.0, 0.0, 0.01]))] = np.nan
    total = np.nansum(numbers, axis=1) + rng.normal(size=count)
    ys = total > np.median(total) if task == "binary" else rng.normal(size=count)
    model, engine = made(text, width, task)
    plain = copy.deepcopy(model)
    places = [0, 1, *sorted(data.draw(st.lists(st.integers(1, count), max_size=3))), count]
    for start, stop in pairwise(places):
        xs = Table(layout(width), numbers[start:stop], {})
        try:
            expected = bare(plain, xs, ys[start:stop].tolist(), None)
        except RAISED:
            assert engine.run(xs, Column(ys[start:stop]), None) is None
            return
        found = engine.run(xs, Column(ys[start:stop]), None)
        if found is None:
            assert not all(map(math.isfinite, [*expected, *numbers_of(plain)]))
            return
        assert bits(found.tolist()) == bits(expected)
    engine.store(model)
    assert bits(model) == bits(plain)


def arrays(events: int, width: int) -> dict[str, np.ndarray]:
    """What both loops are given, of a model that knows all of its features."""
    rng = np.random.default_rng(5)
    choices = np.array([codes.STANDARD, codes.SGD, codes.LOG, codes.SIGMOID, quick_roots()], dtype=np.int64)
    options = np.zeros(13)
    options[[codes.LOSS_A, codes.LOSS_B, codes.CLIP, codes.HALF]] = 1.0, 1.0, 1e12, 0.5
    state = np.zeros((9, width))
    state[codes.KNOWN] = 1.0
    xs = rng.normal(size=(events, width)) * 10.0 ** rng.choice([-9, 0, 8], size=width)
    ys = np.where(xs[:, 0] + rng.normal(size=events) > 0, 1.0, -1.0)
    rates = np.tile([0.01, 0.005, 0.005], (events, 1))
    return {"xs": xs, "ys": ys, "rates": rates, "choices": choices, "options": options, "state": state}


@pytest.mark.parametrize("width", [1, 7, 8, 9, 24])
def test_both_loops_write_the_same(width: int) -> None:
    """Long enough for roots in doubt, which are one of twenty."""
    its, alone, other = arrays(3000, width), np.zeros(3), np.zeros(3)
    state, answers = its["state"].copy(), np.zeros(3000)
    found = lanes.run(**its, alone=alone)
    xs, ys, *rest = (its[name] for name in ("xs", "ys", "rates", "choices", "options"))
    assert linear_kernel.run(xs, ys, np.ones(3000), *rest, state, other, np.zeros((6, width)), answers)
    assert found is not None
    assert bits(found.tolist()) == bits(answers.tolist())
    assert bits([its["state"].tolist(), alone.tolist()]) == bits([state.tolist(), other.tolist()])


@pytest.mark.parametrize(("place", "value"), [(2, math.nan), (2, math.inf), (0, None)])
def test_what_is_odd_is_left_as_it_was(place: int, value: float | None) -> None:
    """A number that is missing or not finite; a feature that has not come (None)."""
    its, alone = arrays(50, 9), np.zeros(3)
    if value is None:
        its["state"][codes.KNOWN, place] = 0.0
    else:
        its["xs"][40, place] = value
    before = its["state"].tobytes()
    assert lanes.run(**its, alone=alone) is None
    assert (its["state"].tobytes(), alone.tolist()) == (before, [0.0, 0.0, 0.0])


def test_only_what_the_loop_has_goes_by_it() -> None:
    its = arrays(1, 1)
    its["choices"][codes.QUICK] = 1
    assert lanes.may_run(its["choices"], its["options"])
    for name, place, value in (
        ("choices", codes.SCALING, codes.CENTERED),
        ("choices", codes.STEPPING, codes.ADAM),
        ("choices", codes.QUICK, 0),
        ("options", codes.L1, 0.1),
    ):
        other = arrays(1, 1)
        other[name][place] = value
        assert not lanes.may_run(other["choices"], other["options"])
