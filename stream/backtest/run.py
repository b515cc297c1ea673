"""A backtest as a whole: candidates, course, journeys, verdict. One that was interrupted is gone on with."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from learners import read_recipe
from learners.metrics import read_metrics
from learners.verdict import comparable, compare
from store import ModelStore
from store.types import NewVersion
from stream.backtest.asked import FORM, Ask, Found, told_of
from stream.backtest.candidates import Candidate, check, read_candidates
from stream.backtest.check import changed, check_start, replays_live
from stream.backtest.course import lay_out, say_nothing
from stream.backtest.hear import Hear
from stream.backtest.journey import Journey
from stream.backtest.range import between, place
from stream.backtest.reading import spread
from stream.backtest.rollback import turned_back
from stream.backtest.saving import as_parent, beginnings, check_saving, save
from stream.backtest.stretch import schema_of
from stream.backtest.trial import Outcome
from stream.config import Config
from stream.environment import environment
from stream.errors import ConfigError
from stream.feed import Feed
from stream.genesis import making
from stream.known import up_to_date
from stream.runs import OpenRun
from stream.sources import open_feed


class Backtest:
    """One backtest of a model over one range. Its trials have the numbers from `base` on where there are several."""

    def __init__(self, config: Config, model: ModelStore, ask: Ask, run: OpenRun, base: int = 0) -> None:
        self.config = config
        self.model = model
        self.ask = ask
        self.run = run
        self.base = base
        self.models: dict[int, bytes] = {}
        self._live = read_recipe(config.model.learner, config.model.task, search_path=config.base)
        with closing(self._feed()) as feed:
            topic = feed.topics[0]
            self.course = lay_out(model, feed, config, ask.wishes, close=ask.close and not ask.save)
            self.entries = up_to_date(model, feed, config, say_nothing) if model.exists() else (0, [])
            if ask.rollback is not None and self.course is not None:
                self._turn_back(feed, *ask.rollback)
        schema = None if self.course is None else schema_of(self.course)
        skips = (*ask.whatif.skips, *(between(text, model, topic) for text in ask.skip_versions))
        whatif = replace(ask.whatif, skips=skips)
        self.whatif = whatif if schema is None else whatif.of(schema, config)
        features = () if schema is None else schema.names
        self.candidates = read_candidates(
            config.model.learner, ask.learners, ask.file, ask.grids, features if ask.necessity else None
        )
        self.recipes = check(self.candidates, config.model.task, config.base)
        self.live = frozenset(
            number
            for number, (each, recipe) in enumerate(zip(self.candidates, self.recipes, strict=True))
            if recipe.identity == self._live.identity and not each.drop
        )
        self.changed = changed(model.config(), config.fixed(self._live.identity)) if model.exists() else []
        check_start(self.course, self.changed, self.live, self.candidates, late=bool(self.whatif.labels(config)))
        self.rolled: frozenset[int] = frozenset()
        if ask.rollback is not None:
            self._add_rolled_back(ask.rollback[1])
        if ask.save:
            check_saving(self.candidates, self.whatif, self.rolled)
        self.outcomes: dict[int, Outcome] = {}
        self.saved: dict[int, int] = {}
        self._begun_by: dict[int, NewVersion] = {}
        self.resumed: int | None = None

    def _feed(self) -> Feed:
        return open_feed(self.config, until_end=True, group=f"tidemark-{self.config.model.name}-backtest")

    def _turn_back(self, feed: Feed, at: str, to: str) -> None:
        """Let the model of a version take over at a place."""
        assert self.course is not None
        version = self.model.version(to.removeprefix("v:"))
        self.course = turned_back(self.course, place(at, self.model, feed, self.config), version)
        self.models = {version.version: self.model.payload(version.version)}

    def _add_rolled_back(self, to: str) -> None:
        """Let the live learner that is rolled back take part beside the one that is not."""
        if self.live != {0} or len(self.candidates) != 1 or self.whatif:
            raise ConfigError(
                "expected the live learner alone for --rollback-at, found other candidates or what-ifs",
                "it is compared with itself: leave --learner and the what-ifs out",
            )
        self.candidates.append(Candidate(f"rolled back to {to}", self.candidates[0].learner))
        self.recipes.append(self.recipes[0])
        self.live, self.rolled = frozenset({0, 1}), frozenset({1})

    @property
    def total(self) -> int:
        """About how many events are to be read in all, by one journey."""
        return 0 if self.course is None else self.course.events

    def begin(self, workers: int, hear: Hear) -> list[Journey]:
        """Return what is to be carried out; outcomes of an interrupted run are taken over. Raises `Interrupted`."""
        if self.course is None:
            return []
        if self.whatif.needs_sd:
            with closing(self._feed()) as feed:
                sds = spread(self.course, feed, self.config, self.entries, self.whatif, hear)
            self.whatif = self.whatif.with_sd(sds)
        if self.ask.save:
            self._begun_by = beginnings(self.config, self.course, self.recipes, self.live, self.run.run)
        return self._journeys(workers, self._begun_by)

    def finish(self) -> None:
        """Keep what is to be kept when all is done."""
        self.saved = save(
            self.model,
            self.config,
            self.outcomes,
            self._begun_by,
            self.recipes,
            run=self.run.run,
            revision=self.entries[0],
        )

    def found(self) -> Found:
        """Return what is known by now."""
        equal, why = self._replays_live()
        return Found(
            self.course,
            self.candidates,
            self.recipes,
            dict(sorted(self.outcomes.items())),
            self._verdict(),
            equal,
            why,
            self.resumed,
            self.whatif.told(),
            self.saved,
        )

    def _journeys(self, workers: int, begun: Mapping[int, NewVersion]) -> list[Journey]:
        """Deal the candidates out; those of an interrupted run go on where they were."""
        assert self.course is not None
        waiting: dict[int, dict[int, bytes]] = {}
        for number in range(len(self.candidates)):
            place, state = (0, b"") if self.ask.save else self._begun(number)
            if number not in self.outcomes:
                waiting.setdefault(place, {})[number] = state
        start = self.course.start
        warm = None if start is None else self.model.payload(start.version)
        parents = {number: as_parent(self.model, new) for number, new in begun.items()}
        if self.ask.save and start is not None:
            parents |= dict.fromkeys(self.live, start)
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
                        live=self.live,
                        entries=(self.entries[0], tuple(self.entries[1])),
                        whatif=self.whatif,
                        warm=warm,
                        check=bool(self.course.live) and not self.changed and not self.whatif,
                        place=place,
                        states={number: states[number] for number in dealt if states[number]},
                        models=self.models,
                        rolled=self.rolled,
                        answers=self.ask.answers,
                        close=self.ask.close and not self.ask.save,
                        parents={number: parents[number] for number in dealt if number in parents},
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
            self.take(replace(pickle.loads(state), number=number))  # noqa: S301 - one's own store
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
            "whatif": self.whatif.to_json(),
            "rolled": number in self.rolled and [self.ask.rollback, sorted(self.models)],
            "range": [course.begins, course.ends],
            "identities": sorted({at.identity for each in course.stretches for at in each.position.topics.values()}),
            "stretches": [[each.recorded, each.version and each.version.version] for each in course.stretches],
            "start": course.start and course.start.version,
            "quarantine": self.entries[0],
            "close": self.ask.close,
            "answers": self.ask.answers,
            "first": number == 0,
            "environment": {**environment(), "form": str(FORM)},
        }
        return hashlib.sha256(msgspec.json.encode(_plain(asked), order="deterministic")).hexdigest()

    def take(self, outcome: Outcome) -> None:
        """Take in what a candidate came to; it is kept in the store at once."""
        self.outcomes[outcome.number] = outcome
        self.put(
            outcome.number,
            "done",
            len(self.course.stretches) if self.course else 0,
            pickle.dumps(replace(outcome, new=None)),
        )

    def put(self, number: int, how: Any, place: int, state: bytes) -> None:
        """Keep how far a candidate is."""
        candidate, recipe = self.candidates[number], self.recipes[number]
        outcome = self.outcomes.get(number)
        self.model.put_trial(
            self.run.run,
            self.base + number,
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

    def _replays_live(self) -> tuple[bool | None, str | None]:
        """Tell whether the live learner had exactly its live scores, and why not."""
        if self.whatif:
            return None, "the stream was changed"
        if self.ask.save:
            return None, "what is kept is one version, not the live ones: leave --save out to compare"
        return replays_live(self.course, self.changed, self.live - self.rolled, self.outcomes)

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


def _plain(value: Any) -> Any:
    """Return nested mappings with texts as keys."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value
