"""The consumer process: settles what is to be trained, claims head, trains, follows a moved head, ends well.

1. Open the store and record the run; where there is no store, settle first, so that a mistake leaves nothing behind.
2. Check the configuration, the recipe and the log; settle the schema if the model has no versions.
3. Wait for another trainer to go, or take over; claim head under a new epoch; make genesis if there is no version, or
   move head to the version that is to be taken up.
4. Train. On `HeadMoved` train again from where head is now; on `Fenced` end: another trainer owns head.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from learners import Learner, Recipe, read_recipe
from store import ModelStore, Store
from store.errors import HeadMoved, NoSuchModel, OwnerAlive, StoreMissing
from store.owners import Claimant
from store.types import Position, Version
from stream.adoption import Adoption, reopen
from stream.collector import collecting_seldom
from stream.config import Config
from stream.environment import require_same
from stream.errors import ConfigError, LearnerTainted, LogLost, OtherLineage, SnapshotLost
from stream.feed import Feed, check_topics
from stream.forms import COMPILED, told, why_rows
from stream.gate import open_gate
from stream.genesis import genesis, settle_schema, start_of, untrained
from stream.late import Late
from stream.owner import Owner, Vitals, who
from stream.quarantine import Quarantine
from stream.runs import OpenRun, recorded
from stream.schedule import Policy, Schedule, events_max
from stream.schema import Schema
from stream.screen import Screen
from stream.settled import LEARNER, check_settled, untouched
from stream.sieve import read_rules
from stream.sources import open_feed
from stream.stop import Stop
from stream.taint import Taint
from stream.trainer import Trainer

STANDBY_S = 0.5
"""How often a waiting trainer looks whether the other one is gone."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train.

    To the end the log has now, and then revealing pending labels (`close`); not waiting for another owner; with other
    libraries than head's; going on after events that the log has lost (`accept_gap`); from another version than head
    (`adopt`: its number or a reference).
    """

    until_end: bool = False
    take_over: bool = False
    accept_environment: bool = False
    accept_gap: bool = False
    close: bool = False
    adopt: str | None = None


@collecting_seldom()
def consume(config: Config, options: Options, stop: Stop, screen: Screen) -> Version | None:
    """Train until stopped or at the end; return head, None if there was nothing to learn from."""
    consumer = _Consumer(config, options, stop, screen)
    try:
        store = Store.open(config.store_url)
    except StoreMissing:
        if options.adopt is not None:
            raise
        consumer.open()
        try:
            if not consumer.settle():
                return None
            with Store.open(config.store_url, create=True) as made:
                return consumer.run(made.model(config.model.name))
        finally:
            consumer.close()
    with store:
        return consumer.run(store.model(config.model.name))


class _Consumer:
    """One run of the process."""

    def __init__(self, config: Config, options: Options, stop: Stop, screen: Screen) -> None:
        self.config = config
        self.options = options
        self.stop = stop
        self.screen = screen
        self.recipe: Recipe | None = None
        self.feed: Feed | None = None
        self.start: Position | None = None
        self.schema: Schema | None = None

    def run(self, model: ModelStore) -> Version | None:
        """Check, settle, own and train; whatever happens is recorded."""
        with recorded(model, self.config, "train") as run:
            try:
                recipe, feed = self.open()
                if self.options.adopt is not None:
                    self._adoption(model, recipe).check(feed)
                elif model.exists() and not self._mended(model, recipe):
                    self._check(model, recipe, feed)
                elif not self.settle():
                    return None
                head = self._own_and_train(model, run, recipe, feed)
            finally:
                self.close()
            if head is not None:
                run.result.update(head=head.version, read=head.accounts.read, learned=head.accounts.learned)
            return head

    def open(self) -> tuple[Recipe, Feed]:
        """Read the recipe and open the feed, once."""
        if self.recipe is None or self.feed is None:
            self.recipe = read_recipe(self.config.model.learner, self.config.model.task, search_path=self.config.base)
            read_rules(self.config)  # raises before anything is written
            group = f"tidemark-{self.config.model.name}"
            self.feed = open_feed(self.config, until_end=self.options.until_end, group=group)
        return self.recipe, self.feed

    def close(self) -> None:
        """Let go of the logs."""
        if self.feed is not None:
            self.feed.close()

    def settle(self) -> bool:
        """Settle where a model without versions starts, and its schema; False if stopped, or if the log is empty."""
        recipe, feed = self.open()
        self._refuse_untrained(None)
        if self.schema is None:
            self.start = start_of(feed, self.config)
            until_end = self.options.until_end or feed.events.finite
            self.schema = settle_schema(
                feed, self.config, self.start, self.stop, until_end=until_end, tell=self.screen.settling
            )
            if self.schema is not None:
                untrained(self.config, recipe, self.schema).seal()  # raises before anything is written
        return self.schema is not None

    def _refuse_untrained(self, model: ModelStore | None) -> None:
        """Raise `ConfigError` for a static model that has learned nothing: it would never say anything."""
        if self.config.model.mode == "static" and (model is None or untouched(model)):
            raise ConfigError(
                'expected a model that has learned something for [model] mode = "static", found one that has not',
                'train it first with mode = "dynamic", then make it static',
            )

    def _mended(self, model: ModelStore, recipe: Recipe) -> bool:
        """Tell whether the configuration changed before anything was learned: then a new genesis version is made.

        What was saved beside head may have learned by another recipe, but by the same settings.
        """
        now = self.config.fixed(recipe.identity)
        if model.config() == now:
            return False
        return untouched(model, beside={**model.config(), LEARNER: recipe.identity} != now)

    def _check(self, model: ModelStore, recipe: Recipe, feed: Feed) -> None:
        """Refuse a configuration that is not the model's, and an environment that is not head's."""
        head, _ = model.head()
        check_settled(model, self.config, recipe, head)
        self._refuse_untrained(model)
        check_topics(feed.topics, head)
        if not self.options.accept_environment:
            require_same(head.environment, f"version {head.version}")

    def _own_and_train(self, model: ModelStore, run: OpenRun, recipe: Recipe, feed: Feed) -> Version | None:
        epoch = self._claim(model, run)
        if epoch is None:
            return model.head()[0] if model.exists() else None
        state = "failed"
        try:
            if self.options.adopt is not None:
                self._adopt(model, recipe, feed)
            elif model.exists() and not (self.schema and self._mended(model, recipe)):
                self._check(model, recipe, feed)  # another trainer may have made it while we stood by
            else:
                assert self.schema is not None, "settled before"
                assert self.start is not None, "settled before"
                new = genesis(self.config, recipe, self.schema, self.start, run.run)
                make = model.renew if model.exists() else model.create
                make(new, config=self.config.fixed(recipe.identity), who=who())
            head = self._train(model, run, epoch, recipe, feed)
            state = "stopped"
        finally:
            model.release(epoch, state=state, now=datetime.now(UTC))
        return head

    def _adoption(self, model: ModelStore, recipe: Recipe) -> Adoption:
        assert self.options.adopt is not None, "asked for"
        if not model.exists():
            raise NoSuchModel(model.name)
        group = f"tidemark-{self.config.model.name}-replay"
        accept = {"accept_environment": self.options.accept_environment, "accept_gap": self.options.accept_gap}
        open_replay = partial(open_feed, self.config, until_end=True, group=group)
        return Adoption(self.options.adopt, model, self.config, recipe, open_replay, **accept)

    def _adopt(self, model: ModelStore, recipe: Recipe, feed: Feed) -> None:
        """Move head to the version that is to be taken up, unless it has gone on from there already."""
        adoption = self._adoption(model, recipe)
        version = adoption.check(feed)  # the reference that named it may have moved while we stood by
        self.screen.adopted(version, adoption.adopt(version))
        self._check(model, recipe, feed)

    def _claim(self, model: ModelStore, run: OpenRun) -> int | None:
        """Return our epoch, once no other trainer lives; None if stopped while waiting."""
        process = run.process
        claimant = Claimant(run.run, process.host, process.pid, process.started)
        while not self.stop.requested:
            before = model.heartbeat()
            try:
                epoch = model.claim(claimant, take_over=self.options.take_over, now=datetime.now(UTC))
            except OwnerAlive as alive:
                self.screen.waiting(alive)
                time.sleep(STANDBY_S)
                continue
            if before is not None:
                model.mark_replaced(before.run, by=run.run, now=datetime.now(UTC))
            return epoch
        return None

    def _trainer(self, model: ModelStore, run: OpenRun, epoch: int, feed: Feed) -> Trainer:
        """Return the trainer of head's lineage, with a gate for its schema."""
        head, _ = model.head()
        schema = Schema.from_json(head.schema)
        why = why_rows(self.config, head.recipe, schema)
        run.note(engine=told(why))
        gate = open_gate(feed, self.config, schema, live=True, breaker=True, columns=why is None)
        return Trainer(
            lineage=head,
            feed=feed,
            gate=gate,
            store=model,
            owner=Owner(model, run.process, run.run, epoch),
            schedule=self._schedule(model, events_max(columns=why is None, live=True)),
            stop=self.stop,
            run=run.run,
            config_hash=self.config.hash,
            tell=partial(self._tell, run),
            quarantine=lambda revision, entries: Quarantine(revision, entries, feed, self.config),
            late=Late(
                lambda: open_feed(self.config, until_end=True, group=f"tidemark-{self.config.model.name}-late"),
                self.config,
            ),
            taint=Taint(feed, gate, open_gate(feed, self.config, schema, live=False), model),
            static=self.config.model.mode == "static",
        )

    def _tell(self, run: OpenRun, vitals: Vitals, learner: Learner) -> None:
        if learner.why_river is not None and run.result.get("engine") == COMPILED:
            run.note(engine=told(learner.why_river))
        self.screen.training(vitals, learner)

    def _train(self, model: ModelStore, run: OpenRun, epoch: int, recipe: Recipe, feed: Feed) -> Version:
        """Train from head, again and again as head is moved by others."""
        reopen(model)
        feed.ends = feed.end() if self.options.until_end or feed.finite else None
        trainer = self._trainer(model, run, epoch, feed)
        gc.collect()
        gc.freeze()  # what was imported stays: the collector need not look at it again and again while learning
        while True:
            try:
                head = trainer.train()
                if trainer.gate.memory.tripped and not self.stop.requested:
                    continue  # it waits there
                return trainer.close_labels() if self.options.close and not self.stop.requested else head
            except HeadMoved:
                trainer.taint.forget()  # what ruined the model elsewhere may be learned from here
                reopen(model)
                self.screen.moved(*model.head())
            except OtherLineage:
                self._check(model, recipe, feed)
                trainer = self._trainer(model, run, epoch, feed)
            except LearnerTainted as tainted:
                self.screen.tainted(tainted)
            except SnapshotLost as lost:
                self.screen.lost(lost)
            except LogLost:
                if not self.options.accept_gap:
                    raise
                trainer.accept_gap()

    def _schedule(self, model: ModelStore, most: int) -> Schedule:
        """Return the schedule, knowing how far head is ahead of champion."""
        head, _ = model.head()
        champion = model.ref("champion")
        if champion is None:
            return Schedule(Policy.of(self.config), time.monotonic(), unpublished=head.accounts.learned, most=most)
        moved_at = model.moves("champion")[-1].at
        ahead = head.accounts.learned - model.version(champion.version).accounts.learned
        ago_s = (datetime.now(UTC) - moved_at).total_seconds()
        policy, ahead = Policy.of(self.config), max(0, ahead)
        return Schedule(policy, time.monotonic(), published_ago_s=ago_s, unpublished=ahead, most=most)
