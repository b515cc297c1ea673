"""The scores of a part of a learner's life, counted apart from those of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from learners.board import Board
from learners.judged import Judged
from learners.progressive import Scores


class Apart:
    """All that is told of what is judged from here on: scores, baselines, slices, intervals; windows are of it, too."""

    def __init__(self, board: Board) -> None:
        self._events = 0
        self._board = board.apart()
        self._before = (board.absent, board.not_finite)

    def add(self, judged: Judged) -> None:
        """Take in judged events."""
        start, board = 0, self._board
        while start < len(judged.ys):
            room = slice(start, start + board.room(self._events))
            board.take(
                judged.xs[room],
                judged.ys[room],
                judged.outputs.part(room),
                [judged.beside[name].part(room) for name in board.rivals.tallies],
                None if judged.weights is None else judged.weights[room],
            )
            count = len(judged.ys[room])
            self._events += count
            start += count

    def scores(self) -> Scores:
        """See `Board.scores`."""
        return self._board.scores()

    def baseline_scores(self) -> dict[str, Scores]:
        """See `Board.baseline_scores`."""
        return self._board.baseline_scores()

    def take_over(self, old: Board, new: Board) -> None:
        """Go on with what another learner is judged by: its counts of before are not of this part."""
        absent, not_finite = self._before
        self._before = (absent + new.absent - old.absent, not_finite + new.not_finite - old.not_finite)

    def details(self, board: Board) -> Mapping[str, Any]:
        """See `Board.details`; `board` is that of the whole."""
        absent, not_finite = self._before
        outputs = {"absent": board.absent - absent, "not_finite": board.not_finite - not_finite}
        return {**self._board.details(), "outputs": outputs}
