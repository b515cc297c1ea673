"""Backtests: the same loop over the same log, with other learners or another stream."""
