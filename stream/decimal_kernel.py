"""Numbers as text, to the last bit what Python's `float` makes of them. For kernels.

Small ones by one exact product or quotient (Clinger 1990), others by a product of 128 bits (Lemire 2021, "Number
parsing at a gigabyte per second"). Where that cannot tell, they say so.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from learners.compiled.jit import inner

MANTISSA, EXPONENT, SIGN = range(3)
"""What was read of a number."""

PART = 0
"""The row of notes in which it is noted."""

DIGITS_MAX = 18
EXPONENT_MIN, EXPONENT_MAX = -300, 280
EXACT = 2**53
TENS_MAX = 22
UP_FROM = -27

U0, U1, U3, U9, U32, U63 = (np.uint64(each) for each in (0, 1, 3, 9, 32, 63))
LOW, CLOSE, ALL = (np.uint64(each) for each in (2**32 - 1, 2**9 - 1, 2**64 - 1))
HIDDEN, TOO_MUCH = np.uint64(2**52), np.uint64(2**53)


NOT = -1
PLUS, MINUS, POINT, ZERO, NINE, E, SMALL = *b"+-.09e", 32


@cache
def tables() -> tuple[np.ndarray, np.ndarray]:
    """Return what numbers are made with: 128 bits of powers of five; ten to the 0 to 22, then two to the -1074 to 971.

    Each power of five is scaled to 128 bits, and cut off; the reciprocals from UP_FROM on are rounded up.
    """
    fives = []
    for exponent in range(EXPONENT_MIN, EXPONENT_MAX + 1):
        power = 5 ** abs(exponent)
        if exponent >= 0:
            shift = 128 - power.bit_length()
            scaled = power << shift if shift >= 0 else power >> -shift
        else:
            scaled = (1 << ((power - 1).bit_length() + 127)) // power + (exponent >= UP_FROM)
        fives.append([scaled >> 64, scaled & (2**64 - 1)])
    tens = [10.0**exponent for exponent in range(TENS_MAX + 1)]
    twos = [2.0**exponent for exponent in range(-1074, 972)]
    return np.array(fives, dtype=np.uint64).view(np.int64), np.array(tens + twos)


@inner
def high_product(a: Any, b: Any) -> Any:
    """Return the upper 64 bits of a product."""
    a0, a1, b0, b1 = a & LOW, a >> U32, b & LOW, b >> U32
    low, left, right = a0 * b0, a0 * b1, a1 * b0
    middle = (low >> U32) + (left & LOW) + (right & LOW)
    return a1 * b1 + (left >> U32) + (right >> U32) + (middle >> U32)


@inner
def number(mantissa: int, exponent: int, fives: Any, tens: Any) -> float:
    """Return mantissa times ten to the exponent, rounded to nearest; NaN where that is not certain."""
    if mantissa == 0:
        return 0.0
    if mantissa <= EXACT and -TENS_MAX <= exponent <= TENS_MAX:
        return float(mantissa) / tens[-exponent] if exponent < 0 else float(mantissa) * tens[exponent]
    if exponent < EXPONENT_MIN or exponent > EXPONENT_MAX:
        return np.nan
    w, zeros = np.uint64(mantissa), 0
    while w >> U63 == U0:
        w <<= U1
        zeros += 1
    first = np.uint64(fives[exponent - EXPONENT_MIN, 0])
    high, low = high_product(w, first), w * first
    if high & CLOSE == CLOSE:
        more = high_product(w, np.uint64(fives[exponent - EXPONENT_MIN, 1]))
        low += more
        if low < more:
            high += U1
    if low == ALL and (exponent < -27 or exponent > 55):
        return np.nan
    upper = high >> U63
    m = high >> (upper + U9)
    power = ((217706 * exponent) >> 16) + 63 + np.int64(upper) - zeros
    if low <= U1 and -4 <= exponent <= 23 and m & U3 == U1 and m << (upper + U9) == high:
        m -= U1  # just between two: to the even one
    m = (m + (m & U1)) >> U1
    if m >= TOO_MUCH:
        m = HIDDEN
        power += 1
    if power <= -1023 or power >= 1024:
        return np.nan
    return float(np.int64(m)) * tens[power + 1022 + TENS_MAX + 1]


@inner
def at(text: Any, p: int) -> Any:
    """Return a byte; p is not negative, which numba would look for."""
    return text[np.uint64(p)]


@inner
def is_digit(text: Any, p: int) -> bool:
    """Tell whether there is a digit."""
    return ZERO <= at(text, p) <= NINE


@inner
def end_of_number(text: Any, p: int, notes: Any) -> int:
    """Return where a number ends that begins at p, NOT if it is not simple. `notes`: mantissa, exponent, sign."""
    mantissa: Any = 0
    exponent, sign = 0, 1
    power: Any = 0
    notes[PART, SIGN] = 1
    if at(text, p) == MINUS:
        notes[PART, SIGN] = -1
        p += 1
    begin = p
    while is_digit(text, p):
        mantissa = mantissa * 10 + (np.int64(at(text, p)) - ZERO)
        p += 1
    digits = p - begin
    if digits == 0 or (at(text, begin) == ZERO and digits > 1):
        return NOT
    if at(text, p) == POINT:
        point = begin = p + 1
        while mantissa == 0 and at(text, begin) == ZERO:
            begin += 1
        p = begin
        while is_digit(text, p):
            mantissa = mantissa * 10 + (np.int64(at(text, p)) - ZERO)
            p += 1
        digits += p - begin
        exponent = point - p
    if exponent == 0 and at(text, p - 1) == POINT:
        return NOT
    if at(text, p) | SMALL == E:
        p += 1
        if at(text, p) == PLUS or at(text, p) == MINUS:
            sign = -1 if at(text, p) == MINUS else 1
            p += 1
        begin = p
        while is_digit(text, p) and power < EXPONENT_MAX:
            power = power * 10 + (np.int64(at(text, p)) - ZERO)
            p += 1
        if p == begin or is_digit(text, p):
            return NOT
    notes[PART, MANTISSA], notes[PART, EXPONENT] = mantissa, exponent + sign * power
    return p if digits <= DIGITS_MAX and (mantissa != 0 or notes[PART, SIGN] > 0) else NOT
