"""What is settled once a model has versions: the settings that they were learned by, and the recipe of each lineage.

The recipe is that of the version which training goes on from, whatever the model was made with: head may have been
moved to a version of another recipe (`train --from V`), and back again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from learners import Recipe
from store import ModelStore
from store.types import Version
from stream.config import Config, in_toml
from stream.errors import ConfigError

LEARNER = "model.learner"
_OLD = "changed, but the model has versions that were learned with the old setting"


def check_unchanged(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a setting that may not change once the model has versions."""
    changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    if changed:
        key = changed[0]
        raise ConfigError(
            f"{', '.join(changed)}: {_OLD}: expected {then.get(key)!r:.200}, found {now.get(key)!r:.200}",
            "set it back, or train another model: give it a new [model] name",
        )


def check_settled(model: ModelStore, config: Config, recipe: Recipe, version: Version | None) -> None:
    """Raise `ConfigError` unless the settings are the model's, and the recipe that of a version.

    Without a version the recipe is not looked at: what only reads versions takes the recipe of each from itself.
    """
    now = config.fixed(recipe.identity)
    check_unchanged({**model.config(), LEARNER: now[LEARNER]}, now)
    if version is None or version.identity == recipe.identity:
        return
    others = [each.version for each in model.versions() if each.identity == recipe.identity and each.kind != "closing"]
    take_up = f"; or take up version {others[-1]}, which has it: tidemark train --from {others[-1]}" if others else ""
    raise ConfigError(
        f"{LEARNER}: {_OLD}: expected the recipe of version {version.version}, {in_toml(version.recipe):.500}; found "
        + (in_toml(recipe.text) if recipe.text != version.recipe else "other code behind it"),
        f"set it back, or train another model: give it a new [model] name{take_up}",
    )


def untouched(model: ModelStore, *, beside: bool = True) -> bool:
    """Tell whether nothing was asked yet, in no version; without `beside`, in none that was head's."""
    found = [model.head()[0], *(version for version in model.versions() if beside or not version.beside)]
    return not any(each.accounts.learned or each.accounts.pending or each.accounts.expired for each in found)
