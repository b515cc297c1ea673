"""Taint: a model that raised, or that can no longer answer what it could. Who ruined it is found, and held.

1. What was read since head is read again, in the same order, by a copy of head's learner that keeps a tape.
2. The culprit is held from then on. If it was pending in head already, it is struck out instead: a version of its own
   says so, and it expires unlearned.
3. The trainer goes on from head, and saves before it comes to where the model was ruined.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial

from learners import Culprit, Learner, LearnFailed
from store import ModelStore
from store.types import HeldEvent, Version
from stream.again import read_segment
from stream.errors import LearnerFailed, LearnerTainted, LogLost, LogMismatch
from stream.feed import Feed
from stream.fields import Fault
from stream.gate import Gate
from stream.held import RAISED, TAINTED
from stream.segment import OpenSegment, reasons_of

RAISES_MAX = 10
"""So many events in a row that ruin the model are held; one more, and the recipe does not fit the stream."""

DETAIL_CHARS_MAX = 4000
"""How much of a traceback is kept with a held event: its end."""

Place = tuple[int, int]
"""Partition and offset of an event."""


class Taint:
    """What one trainer knows of events that ruin its model. `again` judges as `gate` did, by the record."""

    def __init__(self, feed: Feed, gate: Gate, again: Gate, store: ModelStore) -> None:
        self._feed = feed
        self._gate = gate
        self._again = again
        self._store = store
        self._raises = 0
        self._looked: OpenSegment | None = None
        self._pending: dict[int, HeldEvent | None] = {}
        self._save_at: int | None = None

    def forget(self) -> None:
        """Trust again what ruined the model elsewhere: head was moved."""
        self._gate.forget()
        self._pending.clear()
        self._save_at = None

    def saved(self, segment: OpenSegment) -> None:
        """Note that a version was saved."""
        self._save_at = None
        if segment.accepted:
            self._raises = 0

    def room(self, segment: OpenSegment) -> int | None:
        """Return how many records may be read until a version is due: what comes next may ruin the model.

        None: nothing is known.
        """
        return None if self._save_at is None else max(0, self._save_at - segment.records)

    def check(self, head: Version, learner: Learner) -> None:
        """Raise `LearnerFailed` if head itself is ruined: an older program saved it so. `learner` is head's."""
        version = head
        while not learner.doubt.witnessed and version.parent is not None:
            version = self._store.version(version.parent)
            learner.doubt.witness(version.proof.golden)
        if version is not head and (broken := learner.doubt.ruin()):
            raise LearnerFailed(
                f"version {head.version}, head, is ruined: {broken.in_words()}; version {version.version} could",
                f"`tidemark rollback {version.version} --rewind` goes back to it; what ruined the model is then found "
                "when it is read again, and held",
            )

    def strike(self, learner: Learner, segment: OpenSegment) -> bool:
        """Strike out what is pending and ruins the model; tell whether there was anything."""
        before = len(learner.struck)
        learner.strike(self._pending)
        now = learner.struck[before:]
        segment.strike(now, [held for number in now if (held := self._pending[number]) is not None], learner)
        self._pending.clear()
        return bool(now)

    def doubts(self, learner: Learner, segment: OpenSegment) -> bool:
        """Tell whether the model is ruined. Looks when no answer is finite any more, and only once in a segment."""
        if not learner.doubt.mute or self._looked is segment:
            return False
        self._looked = segment
        return learner.doubt.ruin() is not None

    def find(
        self,
        segment: OpenSegment,
        failed: Exception | None,
        beat: Callable[[], None],
        *,
        sound_at: int = 0,
        closing: bool = False,
    ) -> LearnerTainted:
        """Find out who ruined the model in a segment, distrust it from now on, and return what to raise.

        `failed`: what came of the last call. `sound_at`: how many records had been read when it seemed to be sound.
        `closing`: then all labels were revealed. `beat` is called again and again. Raises `LearnerFailed` where nobody
        is to blame, or too many are.
        """
        culprit, place = self._search(segment, beat, closing=closing)
        if culprit is None:
            raise _nobody(failed) from failed
        fault = _fault(culprit)
        if place is None:
            topic, held = segment.topics[0], self._read(segment.parent, culprit.number, fault, beat)
            self._pending[culprit.number] = held
            where = f"pending event {culprit.number}" if held is None else _where(topic, held.partition, held.offset)
        else:
            self._gate.distrust(*place, fault)
            where = _where(segment.topics[0], *place)
        why = "no finite answers any more" if culprit.cause is None else repr(culprit.cause)
        self._raises += 1
        if self._raises > RAISES_MAX:
            raise _too_many(where, why) from failed
        self._save_at = sound_at or segment.records // 2 or None
        return LearnerTainted(f"{where}: {why}")

    def _search(
        self, segment: OpenSegment, beat: Callable[[], None], *, closing: bool
    ) -> tuple[Culprit | None, Place | None]:
        """Do again what was done since head, with a tape. The place is None for what was pending in head."""
        head, read = segment.parent, segment.segment()
        learner = Learner.restore(self._store.payload(head.version), head.proof.golden)
        learner.strike(segment.struck)
        first, places, raised = learner.asked, list[Place](), None
        learner.doubt.record(first)
        recorded = reasons_of(read)
        for batch in read_segment(self._feed, read, segment.position()):
            verdicts = self._again.replay(batch, recorded)
            places += verdicts.places()
            raised = _raised(partial(verdicts.teach, learner))
            beat()
            if raised or learner.doubt.ruined:
                break
        if closing:
            raised = _raised(learner.close)
        culprit = learner.doubt.culprit(raised)
        if culprit is None or culprit.number < first:
            return culprit, None
        return culprit, places[culprit.number - first]

    def _read(self, head: Version, number: int, fault: Fault, beat: Callable[[], None]) -> HeldEvent | None:
        """Return the event that was asked as this number in the lineage of head, None if the log no longer has it."""
        version = head
        while version.parent is not None:
            parent = self._store.version(version.parent)
            if asked_before(parent) <= number:
                break
            version = parent
        left, read = number - asked_before(parent), self._store.segment(version.version)
        recorded = reasons_of(read)
        try:
            for batch in read_segment(self._feed, read, version.position):
                places = self._again.replay(batch, recorded).places()
                if left < len(places):
                    return self._again.hold(batch, *places[left], fault)
                left -= len(places)
                beat()
        except (LogLost, LogMismatch):
            return None
        return None


def _raised(call: Callable[[], None]) -> LearnFailed | None:
    try:
        call()
    except LearnFailed as failed:
        return failed
    return None


def asked_before(version: Version) -> int:
    """Return how many events were asked along a version's lineage: the number of the next one."""
    accounts = version.accounts
    return accounts.learned + accounts.pending + accounts.expired


def _fault(culprit: Culprit) -> Fault:
    if culprit.cause is None:
        return Fault(TAINTED, culprit.detail)
    return Fault(RAISED, "".join(traceback.format_exception(culprit.cause))[-DETAIL_CHARS_MAX:])


def _where(topic: str, partition: int, offset: int) -> str:
    return f"{topic}[{partition}] at offset {offset}"


def _nobody(failed: Exception | None) -> LearnerFailed:
    """Say that no event is to blame."""
    why = f"raised {failed.cause!r}" if isinstance(failed, LearnFailed) else "gave no finite answers any more"
    return LearnerFailed(
        f"the model {why}, and when everything since head was read again, no event was found that ruined it; "
        "head is as it was last saved",
        "roll back to a version from before it was ruined, or mend the learner: is it made of seeded parts only?",
    )


def _too_many(where: str, why: str) -> LearnerFailed:
    """Say that the model is ruined by event after event."""
    return LearnerFailed(
        f"the model raised on {RAISES_MAX + 1} events, or was ruined by them, and none could be learned between; the "
        f"last is {where}: {why}; head is as it was last saved",
        "many models learn from numbers only: name text fields in [source] ignore, or encode them in the recipe: "
        'compose.Select("field") | preprocessing.OneHotEncoder(); others need small ones: '
        "preprocessing.StandardScaler() before them; a rule of [schema] holds what does not fit",
    )
