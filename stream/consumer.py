"""The consumer process: settles what is to be trained, claims head, trains, follows a moved head, ends well.

1. Check the configuration, the recipe and the log; nothing is written before all three stand.
2. Open the store; record the run; make the genesis version if the model has none.
3. Wait for another trainer to go, or take over; claim head under a new epoch.
4. Train. On `HeadMoved` train again from where head is now; on `Fenced` end: another trainer owns head.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from learners import Recipe, read_recipe
from store import ModelStore, Store
from store.errors import HeadMoved, OwnerAlive, StoreMissing
from store.owners import Claimant
from store.types import Version
from stream.config import Config
from stream.decode import Decoder
from stream.environment import require_same
from stream.errors import ConfigError
from stream.gate import Gate
from stream.genesis import genesis, settle_schema, untrained
from stream.log import Log
from stream.owner import Owner, who
from stream.runs import OpenRun, recorded
from stream.schedule import Policy, Schedule
from stream.schema import Schema
from stream.screen import Screen
from stream.sources import open_log
from stream.stop import Stop
from stream.trainer import Trainer

STANDBY_S = 0.5
"""How often a waiting trainer looks whether the other one is gone."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train: to the end the log has now; not waiting for another owner; with other libraries than head's."""

    until_end: bool = False
    take_over: bool = False
    accept_environment: bool = False


def consume(config: Config, options: Options, stop: Stop, screen: Screen) -> Version | None:
    """Train until stopped or at the end; return head, None if there was nothing to learn from."""
    recipe = read_recipe(config.model.learner, config.model.task, search_path=config.base)
    log = open_log(
        config.source.log,
        base=config.base,
        until_end=options.until_end,
        settings=config.source.kafka,
        group=f"tidemark-{config.model.name}",
    )
    try:
        return _Consumer(config, options, stop, screen, recipe, log).run()
    finally:
        log.close()


@dataclass(slots=True)
class _Consumer:
    config: Config
    options: Options
    stop: Stop
    screen: Screen
    recipe: Recipe
    log: Log
    schema: Schema | None = None

    def run(self) -> Version | None:
        """Do the steps that the module names."""
        try:
            store = Store.open(self.config.store_url)
        except StoreMissing:
            if not self._settle():
                return None
            store = Store.open(self.config.store_url, create=True)
        try:
            model = store.model(self.config.model.name)
            if model.exists():
                self._check(model)
            elif not self._settle():
                return None
            with recorded(model, self.config, "train") as run:
                return self._own_and_train(model, run)
        finally:
            store.close()

    def _settle(self) -> bool:
        """Settle the schema for a model without versions; False if stopped, or if the log is empty."""
        if self.schema is None:
            start = self.log.start(self.config.source.start)
            self.schema = settle_schema(
                self.log, self.config, start, self.stop, until_end=self._finite, tell=self.screen.settling
            )
            if self.schema is not None:
                untrained(self.config, self.recipe, self.schema)  # raises before anything is written
        return self.schema is not None

    @property
    def _finite(self) -> bool:
        return self.options.until_end or self.log.finite

    def _check(self, model: ModelStore) -> None:
        """Refuse a configuration that is not the model's, and an environment that is not head's."""
        check_unchanged(model.config(), self.config.fixed(self.recipe.identity))
        head, _ = model.head()
        if self.log.topic not in head.position.topics:
            raise ConfigError(
                f"expected the topic that version {head.version} was made from, {', '.join(head.position.topics)}; "
                f"found {self.log.topic}",
                "point [source] log to that topic, or give the model another name",
            )
        if not self.options.accept_environment:
            require_same(head.environment, f"version {head.version}")

    def _own_and_train(self, model: ModelStore, run: OpenRun) -> Version | None:
        epoch = self._claim(model, run)
        if epoch is None:
            return None
        if not model.exists():
            assert self.schema is not None, "settled before"
            start = self.log.start(self.config.source.start)
            new = genesis(self.log, self.config, self.recipe, self.schema, start, run.run)
            model.create(new, config=self.config.fixed(self.recipe.identity), who=who())
        try:
            head = self._train(model, run, epoch)
        except BaseException:
            model.release(epoch, state="failed", now=datetime.now(UTC))
            raise
        model.release(epoch, state="stopped", now=datetime.now(UTC))
        run.result.update(head=head.version, read=head.accounts.read, learned=head.accounts.learned)
        return head

    def _claim(self, model: ModelStore, run: OpenRun) -> int | None:
        """Return our epoch, once no other trainer lives; None if stopped while waiting."""
        process = run.process
        while not self.stop.requested:
            try:
                claimant = Claimant(run.run, process.host, process.pid, process.started)
                return model.claim(claimant, take_over=self.options.take_over, now=datetime.now(UTC))
            except OwnerAlive as alive:
                self.screen.waiting(alive)
                time.sleep(STANDBY_S)
        return None

    def _train(self, model: ModelStore, run: OpenRun, epoch: int) -> Version:
        """Train from head, again and again as head is moved by others."""
        head, _ = model.head()
        schema = Schema.from_json(head.schema)
        decoder = Decoder(schema, self.log.format, bound=self.config.gate.bound)
        trainer = Trainer(
            log=self.log,
            gate=Gate(self.log.topic, decoder),
            store=model,
            owner=Owner(model, run.process, run.run, epoch),
            schedule=self._schedule(model, head),
            stop=self.stop,
            ends=self.log.end() if self._finite else None,
            run=run.run,
            config_hash=self.config.hash,
            tell=self.screen.training,
        )
        while True:
            try:
                return trainer.train()
            except HeadMoved:
                head, ref = model.head()
                self.screen.moved(head, ref)

    def _schedule(self, model: ModelStore, head: Version) -> Schedule:
        """Return the schedule, knowing how far head is ahead of champion."""
        champion = model.ref("champion")
        if champion is None:
            return Schedule(Policy.of(self.config), time.monotonic(), unpublished=head.accounts.learned)
        moved_at = model.moves("champion")[-1].at
        ahead = head.accounts.learned - model.version(champion.version).accounts.learned
        ago_s = (datetime.now(UTC) - moved_at).total_seconds()
        return Schedule(Policy.of(self.config), time.monotonic(), published_ago_s=ago_s, unpublished=max(0, ahead))


def check_unchanged(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a setting that may not change once the model has versions."""
    changed = [key for key in then if then[key] != now.get(key)]
    if changed:
        key = changed[0]
        raise ConfigError(
            f"{', '.join(changed)}: changed, but the model has versions that were learned with the old setting: "
            f"expected {then[key]!r}, found {now.get(key)!r}",
            "set it back, or train another model: give it a new [model] name",
        )
