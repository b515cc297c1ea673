"""Lessons: the last events that a learner has learned, kept with its state. As text: equal lessons are equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from learners.golden import INPUTS_MAX, read, written
from learners.pending import Entry

LESSONS_MAX = INPUTS_MAX
"""As many as golden inputs."""


class Lessons:
    """Lessons that do not change any more. They are written only when they are asked for, or read from bytes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)

    def __iter__(self) -> Iterator[str]:
        return iter(write_lessons(self.entries))

    def for_later(self) -> Lessons:
        """Return itself (`learners.ways`)."""
        return self

    def __reduce__(self) -> tuple[type[list[str]], tuple[list[str]]]:
        return list, (list(self),)


def write_lessons(lessons: Iterable[Entry]) -> list[str]:
    """Return lessons as text.

    >>> write_lessons([Entry({"a": 0.5}, True, (), 1.0, 2.0)])
    ['[[["a","float","0x1.0000000000000p-1"]],["bool","True"],1.0,2.0]']
    """
    return [
        json.dumps(
            [
                [[name, *written(value)] for name, value in entry.x.items()],
                written(entry.y),
                entry.asked_at,
                entry.known_at,
            ],
            separators=(",", ":"),
        )
        for entry in lessons
    ]


def read_lessons(texts: Iterable[str]) -> list[Entry]:
    """Return the lessons that were written.

    >>> read_lessons(write_lessons([Entry({"a": 0.5}, True, (), 1.0, 2.0)]))
    [Entry(x={'a': 0.5}, y=True, answers=(), asked_at=1.0, known_at=2.0, number=-1)]
    """
    return [
        Entry({name: read(pair) for name, *pair in x}, read(y), (), asked_at, known_at)
        for x, y, asked_at, known_at in map(json.loads, texts)
    ]
