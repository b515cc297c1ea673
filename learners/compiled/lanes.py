"""Runs a linear model behind a StandardScaler by `lanes_kernel`, where it can: most batches of most streams."""

from __future__ import annotations

import numpy as np

from learners.compiled import codes, lanes_kernel
from learners.compiled.lanes_kernel import KEPT, LANES, ROWS

LINE_BYTES = 64


def may_run(choices: np.ndarray, options: np.ndarray) -> bool:
    """Tell whether the loop has what was chosen."""
    chosen = choices[codes.SCALING], choices[codes.STEPPING], choices[codes.QUICK]
    return chosen == (codes.STANDARD, codes.SGD, 1) and options[codes.L1] == 0.0


def run(
    xs: np.ndarray,
    ys: np.ndarray,
    rates: np.ndarray,
    choices: np.ndarray,
    options: np.ndarray,
    state: np.ndarray,
    alone: np.ndarray,
) -> np.ndarray | None:
    """Ask, then teach, event by event, all of them; return the answers. See `linear_kernel.run`.

    None where a number is missing or a feature is new, or anything is odd: state and `alone` are what they were then.
    """
    width = state.shape[1]
    if not width or np.isnan(xs.min()) or not state[codes.KNOWN].all():
        return None
    blocks = -(-width // LANES)
    kept = np.zeros((KEPT, blocks * LANES))
    kept[:, :width] = state[:KEPT]
    lanes = _aligned(blocks * ROWS * LANES).reshape(blocks, ROWS, LANES)
    lanes[:, :KEPT] = kept.reshape(KEPT, blocks, LANES).swapaxes(0, 1)
    if width % LANES:
        filled = np.zeros((len(xs), blocks * LANES))
        filled[:, :width] = xs
        xs = filled
    answers = np.empty(len(ys))
    if not lanes_kernel.run(xs, width, ys, rates, choices, options, lanes.reshape(-1), alone, answers):
        return None
    state[:KEPT] = lanes[:, :KEPT].swapaxes(0, 1).reshape(KEPT, -1)[:, :width]
    return answers


def _aligned(size: int) -> np.ndarray:
    """Return zeros that begin a line of the processor's cache: a vector that lies in two is slow to write and read."""
    room = np.zeros(size + LANES)
    begin = -room.__array_interface__["data"][0] % LINE_BYTES // room.itemsize
    return room[begin : begin + size]
