"""Changes of numeric features: shifts and noise, as a person writes them, and what they do to a column of events."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream.backtest.noise import Place, gaussian
from stream.errors import ConfigError

ALL = "all"
"""The word for every numeric feature, for noise."""

AMOUNT_MAX = 1e15
"""As far as numbers may go by themselves (`gate.bound`): a greater change is a mistake."""

Sds = Mapping[str, float]
"""Standard deviations of features."""

_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_SHIFT = re.compile(rf"([+-]{_NUMBER})(\s*sd)?|\*\s*([+-]?{_NUMBER})")
_NOISE = re.compile(rf"(worst\s*:\s*)?({_NUMBER})(\s*sd)?")
_SHIFTS = 'for example --shift "nswprice=+2sd", "nswprice=-0.5" or "nswprice=*1.1"'
_NOISES = 'for example --noise "nswprice=0.1sd", "nswprice=0.5", "all=0.1sd" or "nswprice=worst:0.1sd"'


@dataclass(frozen=True, slots=True)
class Shift:
    """A feature that is read as more, as less, or as so many times what it is. `in_sd`: in standard deviations."""

    feature: str
    by: float
    in_sd: bool = False
    times: bool = False

    def apply(self, xs: Sequence[dict[str, Any]], sds: Sds) -> None:
        """Change the feature where it is there: `xs` are the caller's own."""
        name, by = self.feature, self.by * sds[self.feature] if self.in_sd else self.by
        for x in xs:
            if name in x:
                x[name] = x[name] * by if self.times else x[name] + by

    def told(self, sds: Sds) -> str:
        """Say it in words."""
        if self.times:
            return f"shift {self.feature} to {self.by:g} times what it is"
        return f"shift {self.feature} by {self.by:+g}{_in_sd(self.feature, sds, in_sd=self.in_sd)}"


@dataclass(frozen=True, slots=True)
class Noise:
    """A feature with Gaussian noise of a standard deviation of its own. `in_sd`: in standard deviations of the feature.

    `worst`: no chance, but that sign which makes a candidate's own prediction worst: see `adversary`.
    """

    feature: str
    sd: float
    in_sd: bool = False
    worst: bool = False

    def step(self, sds: Sds) -> float:
        """Return its standard deviation in the feature's own units."""
        return self.sd * sds[self.feature] if self.in_sd else self.sd

    def apply(self, xs: Sequence[dict[str, Any]], places: Sequence[Place], sds: Sds, seed: int) -> None:
        """Change the feature where it is there: `xs` are the caller's own, `places` where each stands in the log."""
        name, step = self.feature, self.step(sds)
        for x, number in zip(xs, gaussian(seed, name, places), strict=True):
            if name in x:
                x[name] += step * number

    def told(self, sds: Sds) -> str:
        """Say it in words."""
        amount = f"{self.sd:g}{_in_sd(self.feature, sds, in_sd=self.in_sd)}"
        if self.worst:
            return f"move {self.feature} by {amount} to where each candidate's prediction is worst"
        return f"noise on {self.feature} with a standard deviation of {amount}"


def _in_sd(feature: str, sds: Sds, *, in_sd: bool) -> str:
    known = f" ({sds[feature]:g} each)" if feature in sds else ""
    return f" sd{known}" if in_sd else ""


def read_shift(text: str) -> Shift:
    """Read what a person wrote. Raises `ConfigError`.

    >>> read_shift("a=+2sd").told({}), read_shift("a=-0.5").told({}), read_shift("a=*1.1").told({})
    ('shift a by +2 sd', 'shift a by -0.5', 'shift a to 1.1 times what it is')
    """
    feature, value = _parts("--shift", text, "FEATURE=+NUMBER, -NUMBER or *NUMBER, perhaps with sd", _SHIFTS)
    found = _SHIFT.fullmatch(value)
    if found is None or not abs(float(found[1] or found[3])) <= AMOUNT_MAX:
        raise ConfigError(
            f"expected +NUMBER, -NUMBER (perhaps with sd) or *NUMBER, at most {AMOUNT_MAX:g}, found --shift {text!r}",
            _SHIFTS,
        )
    return Shift(feature, float(found[1] or found[3]), in_sd=bool(found[2]), times=found[1] is None)


def read_noise(text: str) -> Noise:
    """Read what a person wrote. Raises `ConfigError`.

    >>> read_noise("all=0.1sd"), read_noise("a=worst:2").worst
    (Noise(feature='all', sd=0.1, in_sd=True, worst=False), True)
    """
    feature, value = _parts("--noise", text, "FEATURE=NUMBER, perhaps with sd", _NOISES)
    found = _NOISE.fullmatch(value)
    if found is None or not 0 < float(found[2]) <= AMOUNT_MAX:
        raise ConfigError(
            f"expected a number above 0 (at most {AMOUNT_MAX:g}), perhaps with sd, found --noise {text!r}", _NOISES
        )
    return Noise(feature, float(found[2]), in_sd=bool(found[3]), worst=bool(found[1]))


def _parts(option: str, text: str, expected: str, example: str) -> tuple[str, str]:
    """Return the feature and what is to be done with it; a feature's name may have an equals sign."""
    feature, mark, value = (part.strip() for part in text.rpartition("="))
    if not mark or not feature:
        raise ConfigError(f"expected {option} as {expected}, found {text!r}", example)
    return feature, value
