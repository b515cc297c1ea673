"""Taking up a version: head moves to it before training begins, wherever it was saved (`train --from V`).

Training goes on at the version's position with the version's model: no gap, and nothing is learned twice. Once head
descends from it there is nothing left to take up, so that a process that is started again with the same words goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from learners import Recipe
from store import ModelStore
from store.errors import HeadMoved
from store.types import Version
from stream.config import Config, in_toml
from stream.environment import require_same
from stream.errors import ConfigError, LogLost
from stream.feed import Feed, check_topics
from stream.owner import who
from stream.replay import refill
from stream.settled import check_settled


@dataclass(frozen=True, slots=True)
class Adoption:
    """One wish to take up a version, by its number or a reference. `open_replay` opens the logs to read them again."""

    selector: str
    model: ModelStore
    config: Config
    recipe: Recipe
    open_replay: Callable[[], Feed]
    accept_environment: bool = False
    accept_gap: bool = False

    def check(self, feed: Feed) -> Version:
        """Return the version, after looking that training can go on from it; bring back its bytes if they expired.

        Changes no reference. Raises `ConfigError`, or what `Feed.seek` raises for a position that is not in the log.
        """
        version = self.model.version(self.selector)
        if self._below(version):
            return version
        self._check_recipe(version)
        if version.kind == "closing":
            raise ConfigError(
                f"expected a version that training can go on from, found the closing version {version.version}",
                f"take up its parent: tidemark train --from {version.parent}",
            )
        if self.config.model.mode == "static" and not version.accounts.learned:
            raise ConfigError(
                f'expected a model that has learned something for [model] mode = "static", found version '
                f"{version.version}, which has not",
                'train it first with mode = "dynamic", then make it static',
            )
        if not self.accept_environment:
            require_same(version.environment, f"version {version.version}")
        check_topics(feed.topics, version)
        try:
            feed.seek(version.position)
        except LogLost:
            if not self.accept_gap:
                raise
        if version.blob is None:
            with closing(self.open_replay()) as again:
                refill(self.model, again, self.config, version, lambda _: None)
        return version

    def adopt(self, version: Version) -> Version | None:
        """Move head to the version, as its owner; return where head was, or None if it descends from it already."""
        while True:
            head, ref = self.model.head()
            if self._below(version, head):
                return None
            settings = self.config.fixed(self.recipe.identity)
            why = f"training goes on from version {version.version}"
            try:
                self.model.adopt(version.version, config=settings, who=who(), why=why, expected=ref)
            except HeadMoved:
                continue  # a person moved it just now: what was asked for comes after that
            return head

    def _below(self, version: Version, head: Version | None = None) -> bool:
        """Tell whether head is the version, or descends from it."""
        head = head or self.model.head()[0]
        return any(each.version == version.version for each in self.model.lineage(head.version))

    def _check_recipe(self, version: Version) -> None:
        check_settled(self.model, self.config, self.recipe, None)
        if version.identity != self.recipe.identity:
            found = "other code behind it" if version.recipe == self.recipe.text else in_toml(self.recipe.text)
            raise ConfigError(
                f"expected [model] learner to be the recipe of version {version.version}, found {found}",
                f"write into [model]: learner = {in_toml(version.recipe)}",
            )


def reopen(model: ModelStore) -> None:
    """Move head off a closing version: training never goes on from one."""
    head, ref = model.head()
    if head.kind == "closing":
        assert head.parent is not None, "a closing version has a parent"
        model.move("head", head.parent, kind="reopen", who=who(), why="training goes on", expected=ref)
