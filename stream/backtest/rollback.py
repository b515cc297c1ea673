"""What if head had been rolled back: at a place of the course, the model of a stored version takes over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from store.types import Cursor, Position, Run, Segment, Version
from stream.backtest.stretch import Course, Stretch
from stream.errors import ConfigError
from stream.log import Ends


def turned_back(course: Course, at: Ends, version: Version) -> Course:
    """Return the course on which a version takes over before the first record that lies at or behind a place.

    Where records were merged by their times, before those that were merged with it. Raises `ConfigError` if there is
    none, if the place lies before the range, or if the version has read what lies behind the place.
    """
    _check(course, at, version)
    stretches: list[Stretch] = []
    for number, stretch in enumerate(course.stretches):
        parts = list(_cut(stretch, at))
        stretches += parts[:-1]
        if len(parts) > 1 or _begins_behind(parts[0], at):
            stretches += [replace(parts[-1], model=version.version), *course.stretches[number + 1 :]]
            return replace(course, stretches=tuple(stretches))
        stretches += parts
    raise ConfigError(
        "expected a place within the range for --rollback-at, found nothing to read behind it", "see --from and --to"
    )


def _check(course: Course, at: Ends, version: Version) -> None:
    """Raise `ConfigError` for a place before the range, and for a version from behind the place."""
    begins = [(at[topic].get(p, 0), begin) for topic, each in course.begins.items() for p, begin in each.items()]
    if all(there <= begin for there, begin in begins) and any(there < begin for there, begin in begins):
        raise ConfigError("expected a place within the range for --rollback-at, found one before it", "see --from")
    read = version.position.next_offsets()
    if any(stop > at[topic].get(p, 0) for topic in at for p, stop in read.get(topic, {}).items()):
        raise ConfigError(
            f"expected a version that had learned nothing from behind --rollback-at, found version {version.version}, "
            "which has read more: it would learn that again",
            "name an earlier version, or a later place",
        )


def _begins_behind(stretch: Stretch, at: Ends) -> bool:
    if stretch.ends is not None:
        places = stretch.position.next_offsets()
        return all(places[topic].get(p, 0) >= offset for topic, each in at.items() for p, offset in each.items())
    runs = stretch.segment.runs
    return bool(runs) and runs[0].start >= at[runs[0].topic].get(runs[0].partition, 0)


def _cut(stretch: Stretch, at: Ends) -> Iterator[Stretch]:
    """Give out a stretch in two where the place lies within it, else whole. What it was live, its end is."""
    if stretch.ends is not None:
        yield from _cut_merged(stretch, stretch.ends, at)
        return
    runs = stretch.segment.runs
    for number, run in enumerate(runs):
        offset = at[run.topic].get(run.partition, 0)
        if run.stop > offset and run.kind == "read":
            before, after = _parted(runs, number, max(run.start, offset))
            if before:
                held = [hold for hold in stretch.segment.holds if Segment(before).has_read(hold)]
                rest = tuple(hold for hold in stretch.segment.holds if hold not in held)
                yield replace(stretch, segment=Segment(before, tuple(held)), version=None)
                yield replace(stretch, segment=Segment(after, rest), beside=None)
                return
            break
    yield stretch


def _cut_merged(stretch: Stretch, ends: Ends, at: Ends) -> Iterator[Stretch]:
    """Give out what is merged by times in two, up to the place in each log, and from there on."""
    begins = stretch.position.next_offsets()
    first = {topic: {p: begins[topic].get(p, 0) for p in each} for topic, each in ends.items()}
    middle = {
        topic: {p: min(max(at[topic].get(p, 0), first[topic][p]), end) for p, end in each.items()}
        for topic, each in ends.items()
    }
    if middle in (first, ends):
        yield stretch
        return
    topics = {
        topic: replace(place, cursors={p: Cursor(offset) for p, offset in middle[topic].items()})
        for topic, place in stretch.position.topics.items()
    }
    yield replace(stretch, ends=middle)
    yield replace(stretch, position=Position(topics), beside=None)


def _parted(runs: Sequence[Run], number: int, offset: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """Return the runs before a place in one of them, and after it."""
    run = runs[number]
    if run.merged is not None:
        first = next(i for i, each in enumerate(runs) if each.merged == run.merged)
        return tuple(runs[:first]), tuple(runs[first:])
    if offset == run.start:
        return tuple(runs[:number]), tuple(runs[number:])
    before, after = (
        replace(run, stop=offset, events=0),
        replace(run, start=offset, events=0),
    )
    return (*runs[:number], before), (after, *runs[number + 1 :])
