"""A backtest as a whole: candidates, course, journeys, verdict. One that was interrupted is gone on with."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from learners import Recipe, read_recipe
from learners.metrics import read_metrics
from learners.verdict import comparable, compare
from store import ModelStore
from stream.backtest.candidates import Candidate, check, read_candidates
from stream.backtest.check import changed, check_start, replays_live
from stream.backtest.course import Course, lay_out, say_nothing, schema_of
from stream.backtest.executor import Executor
from stream.backtest.journey import Interrupted, Journey
from stream.backtest.range import Wishes
from stream.backtest.trial import Outcome
from stream.config import Config
from stream.environment import environment
from stream.genesis import making
from stream.known import up_to_date
from stream.runs import OpenRun
from stream.sources import open_feed


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked: which candidates, over which range, and what is done with them.

    `necessity`: the one candidate, and it without each of its features. `close`: pending labels are revealed at the
    end. `answers`: what was answered to each event is kept.
    """

    learners: tuple[str, ...] = ()
    file: Path | None = None
    grids: tuple[str, ...] = ()
    necessity: bool = False
    wishes: Wishes = field(default_factory=Wishes)
    close: bool = True
    answers: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a backtest found. `replays_live`: the live learner had exactly its live scores; None where nobody can tell.

    `resumed` is the run that had begun it; `changes` says what was changed in the stream, in words.
    """

    course: Course | None
    candidates: Sequence[Candidate]
    recipes: Sequence[Recipe]
    outcomes: Mapping[int, Outcome]
    verdict: Mapping[str, Any] | None
    replays_live: bool | None
    why: str | None
    resumed: int | None = None
    changes: Sequence[str] = ()

    @property
    def events(self) -> int:
        """Events read."""
        return max((outcome.read for outcome in self.outcomes.values()), default=0)


class Backtest:
    """One backtest of a model; `tell` is called with events read, by each journey."""

    def __init__(self, config: Config, model: ModelStore, ask: Ask, run: OpenRun) -> None:
        self.config = config
        self.model = model
        self.ask = ask
        self.run = run
        self.live = read_recipe(config.model.learner, config.model.task, search_path=config.base)
        with closing(open_feed(config, until_end=True, group=f"tidemark-{config.model.name}-backtest")) as feed:
            self.course = lay_out(model, feed, config, ask.wishes, close=ask.close)
            self.entries = up_to_date(model, feed, config, say_nothing) if model.exists() else (0, [])
        features = () if self.course is None else schema_of(self.course).names
        self.candidates = read_candidates(
            config.model.learner, ask.learners, ask.file, ask.grids, features if ask.necessity else None
        )
        self.recipes = check(self.candidates, config.model.task, config.base)
        self.changed = changed(model.config(), config.fixed(self.live.identity)) if model.exists() else []
        check_start(self.course, self.changed, self._live(), self.candidates)
        self.outcomes: dict[int, Outcome] = {}
        self.resumed: int | None = None

    @property
    def total(self) -> int:
        """About how many events are to be read in all, by one journey."""
        return 0 if self.course is None else self.course.events

    def go(self, executor: Executor, workers: int, tell: Callable[[int], None], stop: Callable[[], bool]) -> Found:
        """Carry it out. Raises `Interrupted` when `stop` says so: what is done is kept, and `found` tells it."""
        if self.course is not None:
            hear = _Hear(self, tell, stop)
            for outcomes in executor.run(self._journeys(workers), hear):
                for outcome in outcomes:
                    self._keep(outcome)
        return self.found()

    def found(self) -> Found:
        """Return what is known by now."""
        equal, why = replays_live(self.course, self.changed, self._live(), self.outcomes)
        return Found(
            self.course,
            self.candidates,
            self.recipes,
            dict(sorted(self.outcomes.items())),
            self._verdict(),
            equal,
            why,
            self.resumed,
        )

    def _journeys(self, workers: int) -> list[Journey]:
        """Deal the candidates out; those of an interrupted run go on where they were."""
        assert self.course is not None
        waiting: dict[int, dict[int, bytes]] = {}
        for number in range(len(self.candidates)):
            place, state = self._begun(number)
            if number not in self.outcomes:
                waiting.setdefault(place, {})[number] = state
        start = self.course.start
        warm = None if start is None else self.model.payload(start.version)
        live = self._live()
        journeys = []
        for place, states in waiting.items():
            hands = min(workers, len(states))
            for hand in range(hands):
                dealt = {number: self.candidates[number] for number in list(states)[hand::hands]}
                journeys.append(
                    Journey(
                        config=self.config,
                        course=self.course,
                        candidates=dealt,
                        live=live,
                        entries=(self.entries[0], tuple(self.entries[1])),
                        warm=warm,
                        check=bool(self.course.live) and not self.changed,
                        place=place,
                        states={number: states[number] for number in dealt if states[number]},
                        answers=self.ask.answers,
                        close=self.ask.close,
                    )
                )
        return journeys

    def _begun(self, number: int) -> tuple[int, bytes]:
        """Return where a candidate goes on, and its state; take over its outcome if it had come to one."""
        trial = self.model.unfinished(self.key(number))
        if trial is None:
            return 0, b""
        state, _ = self.model.trial_bytes(trial.run, trial.number)
        if state is None:
            return 0, b""
        self.resumed = trial.run
        if trial.outcome == "done":
            self._keep(replace(pickle.loads(state), number=number))  # noqa: S301 - one's own store
            return 0, b""
        return int(trial.place["stretch"]), state

    def key(self, number: int) -> str:
        """Return a hash of all that determines what a candidate comes to."""
        assert self.course is not None
        candidate, recipe, course = self.candidates[number], self.recipes[number], self.course
        asked = {
            "fixed": self.config.fixed(recipe.identity),
            "gate": self.config.gate.model_dump(mode="json"),
            "drop": candidate.drop,
            "range": [course.begins, course.ends],
            "identities": sorted({at.identity for each in course.stretches for at in each.position.topics.values()}),
            "stretches": [[each.recorded, each.version and each.version.version] for each in course.stretches],
            "start": course.start and course.start.version,
            "quarantine": self.entries[0],
            "close": self.ask.close,
            "answers": self.ask.answers,
            "first": number == 0,
            "environment": dict(environment()),
        }
        return hashlib.sha256(msgspec.json.encode(_plain(asked), order="deterministic")).hexdigest()

    def _keep(self, outcome: Outcome) -> None:
        """Take in what a candidate came to; it is kept in the store at once."""
        self.outcomes[outcome.number] = outcome
        self.put(outcome.number, "done", len(self.course.stretches) if self.course else 0, pickle.dumps(outcome))

    def put(self, number: int, how: Any, place: int, state: bytes) -> None:
        """Keep how far a candidate is."""
        candidate, recipe = self.candidates[number], self.recipes[number]
        outcome = self.outcomes.get(number)
        self.model.put_trial(
            self.run.run,
            number,
            name=candidate.name,
            recipe=candidate.learner,
            identity=recipe.identity,
            key=self.key(number),
            outcome=how,
            place={"stretch": place},
            state=state,
            result={} if outcome is None else told_of(candidate, recipe, outcome),
            values=None if outcome is None else outcome.values.tobytes(),
            now=datetime.now(UTC),
        )

    def _live(self) -> frozenset[int]:
        """Return the numbers of the candidates that are the live learner."""
        return frozenset(
            number
            for number, (each, recipe) in enumerate(zip(self.candidates, self.recipes, strict=True))
            if recipe.identity == self.live.identity and not each.drop
        )

    def _verdict(self) -> Mapping[str, Any] | None:
        """Compare the candidates on the same events; None if there is nothing to compare."""
        whole = {n: outcome for n, outcome in sorted(self.outcomes.items()) if outcome.error is None}
        if self.course is None or not whole:
            return None
        made = making(self.config, schema_of(self.course))
        metrics = read_metrics(made["metrics"], self.config.model.task)
        bounds = self.config.validation.bounds
        found = comparable(metrics, bounds, weighted=bool(made.get("score_weights")))
        if found is None:
            return None
        values: dict[str, np.ndarray] = {self.candidates[n].name: outcome.values for n, outcome in whole.items()}
        return compare(values, found[0], bounds)


class _Hear:
    """Hears what journeys tell."""

    def __init__(self, backtest: Backtest, tell: Callable[[int], None], stop: Callable[[], bool]) -> None:
        self._backtest = backtest
        self._tell = tell
        self._stop = stop

    def advance(self, events: int) -> None:
        if events:
            self._tell(events)
        if self._stop():
            raise Interrupted

    def keep(self, place: int, states: Mapping[int, bytes]) -> None:
        for number, state in states.items():
            self._backtest.put(number, "running", place, state)


def told_of(candidate: Candidate, recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    """Return what is told of a candidate, as plain values."""
    return {
        "name": candidate.name,
        "learner": candidate.learner,
        "identity": recipe.identity,
        "drop": list(candidate.drop),
        "scores": outcome.scores,
        "learned": outcome.learned,
        "held": outcome.held,
        "pending": outcome.accounts[1],
        "expired": outcome.accounts[2],
        "seconds": round(outcome.seconds, 3),
        "state_bytes": outcome.state_bytes,
        "error": outcome.error,
        "details": outcome.details,
    }


def _plain(value: Any) -> Any:
    """Return nested mappings with texts as keys."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value
