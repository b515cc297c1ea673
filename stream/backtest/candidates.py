"""The candidates of a backtest: learners as a person names them, one by one, in a file, by grids, or by leaving out."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from learners import LearnerError, Recipe, Task, read_recipe
from learners.parameters import steps
from learners.recipe import FACTORY
from stream.backtest.grid import fits, read_grid, vary, what_there_is
from stream.errors import ConfigError

LIVE = "live"
"""The word for the learner of the configuration, among others."""

NAME_CHARS_MAX = 60
"""Names stand in tables."""

CANDIDATES_MAX = 1000
"""Grids multiply: more is a mistake, not a question."""

_NAMED = re.compile(r"([A-Za-z0-9][\w .+-]*?)\s*=(?!=)\s*(\S.*)", re.DOTALL)
"""`name = learner`. A learner itself has a bracket before its first equals sign."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A learner that takes part in a backtest: `name` is short and its own, `drop` the features that it lacks."""

    name: str
    learner: str
    drop: tuple[str, ...] = ()


def read_candidates(
    live: str, learners: Sequence[str], file: Path | None, grids: Sequence[str], necessity: Sequence[str] | None
) -> list[Candidate]:
    """Return the candidates: those named, else the live one; with grids; or each without one feature of `necessity`.

    `learners` are texts as in `[model] learner`, each perhaps as `name = learner`, or the word `live`; `file` has one a
    line. Raises `ConfigError`; learners themselves are read by `check`.
    """
    written = [*learners, *([] if file is None else _lines(file))]
    candidates = _unique([_read(text, live) for text in written or [LIVE]])
    if grids:
        candidates = _vary(candidates, grids)
    if necessity is None:
        return candidates
    if len(candidates) > 1:
        told = ", ".join(candidate.name for candidate in candidates)
        raise ConfigError(
            f"expected one candidate with --necessity, found {len(candidates)}: {told:.500}",
            "ask of one learner at a time what it needs",
        )
    (whole,) = candidates
    return [whole, *(replace(whole, name=f"without {name}", drop=(name,)) for name in dict.fromkeys(necessity))]


def check(candidates: Iterable[Candidate], task: Task, base: Path | None) -> list[Recipe]:
    """Return the recipe of each candidate. Raises what `learners.read_recipe` does, naming the candidate."""
    read: dict[str, Recipe] = {}
    recipes = []
    for candidate in candidates:
        if candidate.learner not in read:
            try:
                read[candidate.learner] = read_recipe(candidate.learner, task, base)
            except LearnerError as error:
                raise type(error)(f"candidate {candidate.name!r}: {error}", hint=error.hint) from error
        recipes.append(read[candidate.learner])
    return recipes


def _lines(file: Path) -> list[str]:
    """Return the candidates of a file: one a line, but for empty lines and comments."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"expected a file with one learner a line, {file} cannot be read: {error}", "name a file of text"
        ) from error
    found = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not found:
        raise ConfigError(f"expected a file with one learner a line, found none in {file}", "write one, or `live`")
    return found


def _read(text: str, live: str) -> Candidate:
    """Read one candidate; without a name of its own it has that of what it is, which others may have too."""
    named = _NAMED.fullmatch(text.strip())
    name, learner = (named[1], named[2].strip()) if named else ("", text.strip())
    if not learner:
        raise ConfigError("expected a learner, found nothing", "write it as [model] learner has it, or `live`")
    if len(name) > NAME_CHARS_MAX:
        raise ConfigError(f"expected a name of at most {NAME_CHARS_MAX} characters, found {name!r}", "shorten it")
    if name == LIVE and learner != LIVE:
        raise ConfigError(f"expected `{LIVE}` for the learner of the configuration alone, found it as a name", "rename")
    if learner == LIVE:
        return Candidate(name or LIVE, live.strip())
    return Candidate(name, learner)


def _unique(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Give each a name of its own. Raises `ConfigError` for a learner or a name that comes twice."""
    if twice := _twice(candidate.learner for candidate in candidates):
        raise ConfigError(f"expected each learner once, found one twice: {twice:.300}", "leave one out")
    if twice := _twice(candidate.name for candidate in candidates if candidate.name):
        raise ConfigError(f"expected each name once, found {twice!r} twice", "name one of them otherwise")
    taken = {candidate.name for candidate in candidates}
    named = []
    for candidate in candidates:
        name = candidate.name or _free(_short(candidate.learner), taken)
        taken.add(name)
        named.append(replace(candidate, name=name))
    return named


def _twice(texts: Iterable[str]) -> str | None:
    return next((text for text, count in Counter(texts).items() if count > 1), None)


def _short(learner: str) -> str:
    """Return a short name: the classes of a pipeline, or only its last."""
    if FACTORY.fullmatch(learner):
        return learner[-NAME_CHARS_MAX:]
    try:
        parts = steps(learner)
    except LearnerError:
        return learner[:NAME_CHARS_MAX]  # `check` says what is wrong with it
    whole = " | ".join(parts)
    return whole if len(whole) <= NAME_CHARS_MAX else f"… | {parts[-1]}"


def _free(name: str, taken: Iterable[str]) -> str:
    """Return the name with a number, if another has it."""
    numbered = (f"{name} #{number}" for number in range(2, 1_000_000))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _vary(candidates: Sequence[Candidate], texts: Sequence[str]) -> list[Candidate]:
    """Return the candidates with the values of the grids; what no grid fits stays as it is.

    Where there was one candidate, its variants are named by what is set in them alone.
    """
    grids = [read_grid(text) for text in texts]
    if twice := _twice(f"{grid.cls}.{grid.parameter}" for grid in grids):
        raise ConfigError(f"expected one --grid for {twice}, found several", "name all its values in one")
    learners = [candidate.learner for candidate in candidates]
    for grid in grids:
        if not any(fits(grid, learner) for learner in learners):
            raise ConfigError(
                f"expected a class that a candidate has, found --grid {grid.cls}.{grid.parameter}",
                f"the candidates have: {what_there_is(learners):.1000}",
            )
    count = sum(math.prod(len(grid.values) for grid in grids if fits(grid, learner)) for learner in learners)
    if count > CANDIDATES_MAX:
        raise ConfigError(f"expected at most {CANDIDATES_MAX:,} candidates, found {count:,}", "choose fewer values")
    several = len(candidates) > 1
    return _unique(
        [
            Candidate(", ".join(filter(None, (candidate.name if several or not told else "", told))), learner)
            for candidate in candidates
            for told, learner in vary(candidate.learner, grids).items()
        ]
    )
