"""Simple events of JSON, from their bytes into columns. Compiled; what is not simple is left to others.

Simple is an object of numbers, truths and short texts, in ASCII, without escapes, each name once.
"""

from __future__ import annotations

from typing import Any

from learners.compiled.jit import inner, kernel
from stream.decimal_kernel import EXPONENT, MANTISSA, MINUS, NOT, PART, SIGN, ZERO, at, end_of_number, is_digit, number

NUMBER, TRUTH, TEXT = range(3)
"""What a field is: a number; a label that is true or false; one that is a text, and compared with the positive one."""

BEGIN, LENGTH, KIND = range(3)
"""A field: where its name begins among all names, how long it is, and what it is. Its column is its number."""

ORDER, MARK = 1, 2
"""What is noted on the way, beside what was read of a number."""

FIELD, POSITIVE = 3, 4
"""Beside what was read of a number: which field it is; where the positive text begins."""

TAB, LINE, RETURN, SPACE, QUOTE, COMMA, ONE, COLON, ESCAPE, OPEN, CLOSED, LAST = b'\t\n\r ",1:\\{}~'
A, E, F, L, N, R, S, T, U = b"aeflnrstu"


@inner
def is_space(byte: int) -> bool:
    """Tell whether it is a blank."""
    return byte == SPACE or byte == LINE or byte == RETURN or byte == TAB


@inner
def after_space(text: Any, p: int, stop: int) -> int:
    """Return the next place that is no blank."""
    while p < stop and at(text, p) <= SPACE and is_space(at(text, p)):
        p += 1
    return p


@inner
def end_of_text(text: Any, p: int) -> int:
    """Return where a text ends that begins at p, after its quote; NOT if it is not simple."""
    while at(text, p) != QUOTE:
        if at(text, p) == ESCAPE or at(text, p) < SPACE or at(text, p) > LAST:
            return NOT
        p += 1
    return p


@inner
def is_word(text: Any, p: int, stop: int, a: int, b: int, c: int, d: int) -> bool:
    """Tell whether four letters stand at p."""
    if p + 4 > stop:
        return False
    return at(text, p) == a and at(text, p + 1) == b and at(text, p + 2) == c and at(text, p + 3) == d


@inner
def end_of_word(text: Any, p: int, stop: int) -> int:
    """Return where true, false or null ends that begins at p, NOT if it is none."""
    if is_word(text, p, stop, T, R, U, E) or is_word(text, p, stop, N, U, L, L):
        return p + 4
    return p + 5 if at(text, p) == F and is_word(text, p + 1, stop, A, L, S, E) else NOT


@inner
def same(text: Any, p: int, names: Any, begin: int, length: int) -> bool:
    """Tell whether a name stands at p."""
    for place in range(length):
        if at(text, p + place) != at(names, begin + place):
            return False
    return True


@inner
def field_of(text: Any, p: int, length: int, names: Any, fields: Any) -> int:
    """Return the number of the field whose name stands at p, NOT if there is none."""
    for field in range(len(fields)):
        if fields[field, LENGTH] == length and same(text, p, names, fields[field, BEGIN], length):
            return field
    return NOT


@inner
def end_of_name(text: Any, begin: int, stop: int, names: Any, fields: Any, expected: int, notes: Any) -> int:
    """Return where a name ends that begins after its quote, NOT if it is not simple. `notes`: its field, too."""
    if expected != NOT:
        p = begin + fields[expected, LENGTH]
        if p < stop and at(text, p) == QUOTE and same(text, begin, names, fields[expected, BEGIN], p - begin):
            notes[PART, FIELD] = expected
            return p
    p = end_of_text(text, begin)
    if p != NOT:
        notes[PART, FIELD] = field_of(text, begin, p - begin, names, fields)
    return p


@inner
def is_number(text: Any, p: int) -> bool:
    """Tell whether a number may begin there."""
    return at(text, p) == MINUS or is_digit(text, p)


@inner
def is_bit(text: Any, begin: int, p: int) -> bool:
    """Tell whether a number is written as 0 or 1."""
    return p == begin + 1 and (at(text, begin) == ZERO or at(text, begin) == ONE)


@inner
def end_of_other(text: Any, begin: int, stop: int, names: Any, kind: int, notes: Any) -> int:
    """Return where a text, true, false or null ends, NOT if it is not simple, or not of this kind. `notes`: is it true.

    The positive text stands behind the names.
    """
    first = at(text, begin)
    if first == QUOTE:
        p = end_of_text(text, begin + 1) + 1
        length = p - begin - 2
        positive = notes[PART, POSITIVE]
        notes[PART, MANTISSA] = length == len(names) - positive and same(text, begin + 1, names, positive, length)
        return p if p > begin and (kind == NOT or (kind == TEXT and length > 0)) else NOT
    p = end_of_word(text, begin, stop)
    notes[PART, MANTISSA] = first == T
    return p if kind == NOT or (kind == TRUTH and first != N) else NOT


@inner
def is_simple(
    text: Any, stops: Any, event: int, names: Any, fields: Any, limits: Any, fives: Any, tens: Any, notes: Any, out: Any
) -> bool:
    """Read one event; tell whether it was simple. See `read`."""
    seen, place, more, stop = 0, 0, True, stops[event]
    p = after_space(text, stops[event - 1] + 1 if event else 0, stop)
    if p >= stop or at(text, p) != OPEN:
        return False
    while more:
        p = after_space(text, p + 1, stop)
        if p >= stop or at(text, p) != QUOTE or place >= notes.shape[1]:
            return False
        p = end_of_name(text, p + 1, stop, names, fields, notes[ORDER, place], notes)
        field = notes[PART, FIELD]
        p = stop if p == NOT else after_space(text, p + 1, stop)
        if p >= stop or at(text, p) != COLON:
            return False
        notes[ORDER, place] = field
        place += 1
        kind = fields[field, KIND] if field != NOT else NOT
        begin = after_space(text, p + 1, stop)
        if begin < stop and is_number(text, begin):
            p = end_of_number(text, begin, notes)
            value = notes[PART, SIGN] * number(notes[PART, MANTISSA], notes[PART, EXPONENT], fives, tens)
            if kind == TEXT or (kind == TRUTH and not is_bit(text, begin, p)):
                return False
        else:
            p = end_of_other(text, begin, stop, names, kind, notes) if begin < stop else NOT
            value = float(notes[PART, MANTISSA])
        if field != NOT:
            if notes[MARK, field] == event or not (limits[field, 0] <= value <= limits[field, 1]):
                return False
            notes[MARK, field] = event
            out[event, field] = value
            seen += 1
        p = stop if p == NOT else after_space(text, p, stop)
        if p >= stop or (at(text, p) != COMMA and at(text, p) != CLOSED):
            return False
        more = at(text, p) == COMMA
    return after_space(text, p + 1, stop) == stop and seen == len(fields)


@kernel(
    "int64(uint8[::1], int64[::1], uint8[::1], int64[:, ::1], float64[:, ::1], int64[:, ::1],"
    " float64[::1], int64[:, ::1], float64[:, ::1])"
)
def read(
    text: Any, stops: Any, names: Any, fields: Any, limits: Any, fives: Any, tens: Any, notes: Any, out: Any
) -> int:
    """Read events into rows of `out`, a column for each field; return how many came before one that is not simple.

    They end at `stops`, with one byte between two and after the last. A number must lie within its limits. `notes`: the
    field that came at each place of the event before, NOT for none; in which event a field came last; parts of a value.
    """
    for event in range(len(stops)):
        if not is_simple(text, stops, event, names, fields, limits, fives, tens, notes, out):
            return event
    return len(stops)
