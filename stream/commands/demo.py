"""A guided tour on real flights: train, be killed, resume, roll back, take poison out; each as a person would.

1. The first flights of 2013 from New York become a file log; the label, whether one arrives over 15 minutes late, comes
   when it arrives.
2. A trainer learns them, and is killed with SIGKILL in the middle.
3. The next trainer resumes from the head version; an undisturbed run shows that nothing was lost or learned twice.
4. A running trainer is rolled back, and follows without a restart.
5. A feed goes bad for a day, and the model with it; that is quarantined, and head rebuilt without it. The undisturbed
   model never saw that feed on that day: both are equal.
"""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from stream.commands import showing
from stream.commands.flights import flights
from stream.commands.poison import append, take_poison_out
from stream.commands.trainers import head_of, model_of, running, start, wait, watch
from stream.errors import ConfigError, StreamError

KILL_AFTER_S = 0.2  # somewhere after a version was saved, before the next
CONFIG = """\
# Predicts on departure whether a flight arrives over 15 minutes late.
[model]
name    = "flights"
task    = "binary"
target  = "late"
learner = '''
(compose.Select("dep_delay", "distance", "hour") | preprocessing.StandardScaler())
+ (compose.Select("carrier", "origin") | preprocessing.OneHotEncoder())
| linear_model.LogisticRegression(optimizer=optim.SGD(0.01))
'''

[source]
log    = "file:{log}.jsonl"
moment = "departed_at"               # the question is asked when a flight departs,
id     = "id"
ignore = ["departed_at"]

[labels]
moment  = "arrived_at"               # and the answer known when it arrives, hours later
timeout = "2d"                       # diverted flights never do

[validation]
metrics = ["Accuracy", "F1", "ROCAUC"]
window  = 2500
slices  = ["carrier", "origin"]

[snapshots]
every_events = {every}

[store]
url = "sqlite:///{store}.db"
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many flights there are at first, how many come later, and after how many a version is due."""

    first: int = 30_000
    later: int = 10_000
    every: int = 5_000


def demo(folder: Path, sizes: Sizes = Sizes()) -> None:
    """Give the tour; what it made stays in `folder`."""
    out = Console()
    began = time.monotonic()
    config, later = _prepare(folder, out, sizes)
    _kill_in_the_middle(config, out, sizes.first)
    _resume(config, out, sizes.first)
    _roll_back(config, out, sizes.first)
    out.rule("5. a feed goes bad, and is taken back out")
    take_poison_out(config, later, out, sizes.first)
    out.rule("versions")
    showing.log(config, as_json=False)
    out.print(
        f"\nDone in {time.monotonic() - began:.0f} s. Go on yourself:\n  cd {folder}\n  tidemark log\n"
        "  tidemark scores\n  tidemark quarantine show 1\n  tidemark verify head\n  tidemark report"
    )


def _prepare(folder: Path, out: Console, sizes: Sizes) -> tuple[Path, list[dict[str, Any]]]:
    """Write logs and configurations of two models, one to disturb, one to compare with; return what comes later."""
    if folder.exists() and not (folder / "tidemark.toml").exists() and any(folder.iterdir()):
        raise ConfigError(f"expected {folder} to be empty or an older demo, found other files", "name another --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    out.rule("1. a log of labeled events")
    found = flights(sizes.first + sizes.later)
    for name, log in (("tidemark", "flights"), ("undisturbed", "undisturbed")):
        append(folder / f"{log}.jsonl", found[: sizes.first])
        text = CONFIG.format(log=log, store=name, every=sizes.every)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    out.print(f"{sizes.first:,} flights of 2013 in {folder}/flights.jsonl, the model in {folder}/tidemark.toml")
    return folder / "tidemark.toml", found[sizes.first :]


def _kill_in_the_middle(config: Path, out: Console, total: int) -> None:
    out.rule("2. train, and be killed in the middle")
    out.print("$ tidemark train --until-end")
    trainer = start(config, "--until-end")
    with model_of(config, trainer) as model:
        watch(model, trainer, total, lambda read: read > total * 0.4)
        time.sleep(KILL_AFTER_S)
        trainer.send_signal(signal.SIGKILL)
        trainer.wait()
        head = model.head()[0]
        out.print(
            f"[red]killed[/] (SIGKILL); saved was version {head.version} with {head.accounts.learned:,} flights, "
            "what was read since will be read again"
        )


def _resume(config: Path, out: Console, total: int) -> None:
    out.rule("3. resume: nothing lost, nothing learned twice")
    out.print("$ tidemark train --until-end")
    undisturbed = config.with_name("undisturbed.toml")
    trainer, other = start(config, "--until-end"), start(undisturbed, "--until-end")
    with model_of(config, trainer) as model:
        watch(model, trainer, total)
        disturbed = model.head()[0]
    with model_of(undisturbed, other) as model:
        watch(model, other, total)
        whole = model.head()[0]
    accounts = disturbed.accounts
    equal = (accounts, disturbed.proof.scores) == (whole.accounts, whole.proof.scores)
    out.print(
        f"read {accounts.read:,} = learned {accounts.learned:,} + held {accounts.held:,} + still in the air "
        f"{accounts.pending:,} + never arrived {accounts.expired:,}"
    )
    out.print(f"killed and resumed: {_scores(disturbed.proof.scores)}")
    out.print(f"never disturbed:    {_scores(whole.proof.scores)}")
    if not equal:
        raise StreamError(
            "expected the resumed run to equal the undisturbed one, found a difference", "please report it"
        )
    out.print("[green]equal, bit for bit[/]")


def _scores(scores: object) -> str:
    assert isinstance(scores, dict)
    return "  ".join(f"{name} {score['cumulative'] or score['window']!r}" for name, score in scores.items())


def _roll_back(config: Path, out: Console, total: int) -> None:
    out.rule("4. roll a running trainer back")
    with running(config) as (trainer, model):
        wait(lambda: (b := model.heartbeat()) is not None and b.state == "idle", trainer)
        before, target = model.head()[0], model.versions()[len(model.versions()) // 2]
        out.print(f"$ tidemark rollback {target.version} --rewind --reason 'was it the storm?'")
        model.move("head", target.version, kind="rewind", who="demo", why="was it the storm?")
        asked = time.monotonic()
        wait(lambda: (b := model.heartbeat()) is not None and b.version != before.version, trainer)
        out.print(f"the trainer followed within {time.monotonic() - asked:.1f} s, without a restart")
        watch(model, trainer, total, lambda read: read >= total)
    head = head_of(config)
    out.print(f"it read again from version {target.version} on, and was stopped at version {head.version}")
