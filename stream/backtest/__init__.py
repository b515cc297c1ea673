"""Backtests: the same loop over the same log, with other learners or another stream. `backtest` is for notebooks."""

from __future__ import annotations

from stream.backtest.notebook import Backtested, backtest

__all__ = ["Backtested", "backtest"]
