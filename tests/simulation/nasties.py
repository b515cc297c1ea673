"""Records that should not be: known nasties, what hypothesis makes, and mutations of both; the same each time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

DRAWN = 2_000
"""So many of them are made by hypothesis: it takes a millisecond for each."""

NUMBERS = r"""NaN -NaN nan Infinity -Infinity inf 1e999 -1e999 1e308 -1e308 1e300 1e16 1e15 5e-324 -0.0 -0 0 00 +1 .5 1.
0x10 1_000 1e-400 1;1 '1' -1 -62135596800 253402300799 253402300800 1e11 -1e11 1e-9 1.7e9 1700000000000 true false True
TRUE yes null None NULL undefined"""
TEXTS = r"""1 NaN 1e5 \u0000 \ud800 \udc00\ud800 \uFFFF \x41 a\nb a\"b ';DROPTABLEversions;-- {} <script> é 💣 1.5
0000-01-01T00:00:00Z 0001-01-01T00:00:00 9999-12-31T23:59:59Z 10000-01-01T00:00:00Z 2026-02-30T00:00:00Z 2020 20200101
2016-12-31T23:59:60Z 2020-01-01T24:00:00Z 2020-01-01T00:00:00+99:99 2020-01-01T00:00:00-23:59"""
VALUES = [
    *NUMBERS.split(),
    *(f'"{text}"' for text in TEXTS.split()),
    '""',
    *("", " ", "\t", "\x00", "\\u0000", "1,5", "1 1", '" "', '" 1 "', '"\\', '"\u202e\u0000"', '"e\u0301"', '"\u2028"'),
    *(
        "9" * 400,
        "-" + "9" * 30,
        "1" + "0" * 20,
        "1" * 5_000,
        "\ufeff1",
        '"' + "x" * 100_000 + '"',
        '"' + r"\u0041" * 999,
    ),
    *("[]", "[1]", "[[[[]]]]", "{}", '{"a": {"a": {}}}', '[null, true, "x"]'),
    *("[" * 2000 + "]" * 2000, '{"a":' * 600 + "1" + "}" * 600),
]
"""Put in the place of one field's value."""

HEADS = r"""{} [] null true 0 { } {" {"a" {"a": {"a":1 {"a":1, {"a":1}} {}{} {'a':1} {a:1} {"a":1,"a":2} {"":1} {"a":1,}
{"\u0061":1} {"a\"b":1,"a'b":2} //{} a,b,c,on,at,known_at,id,y " "" 1,2 1,"2 "1"x,2 ;;;;; =cmd|A1 <xml/>"""
LINES = [
    *(head.encode() for head in HEADS.split()),
    *(b"", b" ", b"\t", b"\x00", b"\r", b"\x0b", b"\xff", b"\xfe\xff", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf", b"\xc3"),
    *(
        b"\xed\xa0\x80",
        b"\xf0\x9f\x92",
        b"\xef\xbb\xbf{}",
        b"1\r2",
        b"\x1f\x8b\x08\x00",
        b"(\xb5/\xfd",
        b"\x80\x05K\x01.",
    ),
    *(b"[" * 100_000, b"{" * 100_000, b'{"a":' * 50_000, b"[" * 50_000 + b"]" * 50_000, b'"' * 999, b"\\" * 999),
    *(b"," * 999, b"x" * 300_000, b"\x00" * 10_000),
]
"""Records of their own."""

Write = Callable[[dict[str, str]], bytes]
"""Puts fields, each as the text of its value, into a record."""


def as_json(fields: dict[str, str]) -> bytes:
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}").encode(
        "utf-8", "surrogatepass"
    )


def as_csv(fields: dict[str, str]) -> bytes:
    return ",".join(_cell(text) for text in fields.values()).encode("utf-8", "surrogatepass")


def _cell(text: str) -> str:
    """Return what stands in a cell: text without its JSON quotes, and now and then with those of CSV."""
    bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    return '"' + bare.replace('"', '""') + '"' if "," in bare or '"' in bare else bare


def texts(event: dict[str, Any]) -> dict[str, str]:
    """Return the fields of an event as the texts of their values."""
    return {name: json.dumps(value) for name, value in event.items()}


def corpus(good: list[dict[str, Any]], write: Write) -> list[bytes]:
    """Return every known nasty: as a line, in each field of an event; cut off, doubled, without or with a field."""
    records, number = list(LINES), 0
    for name in good[0]:
        for value in VALUES:
            event, number = texts(good[number % len(good)]), number + 1
            records.append(write(event | {name: value}))
        event, number = texts(good[number % len(good)]), number + 1
        records.append(write({key: value for key, value in event.items() if key != name}))
        records.append(write(event).replace(f'"{name}"'.encode(), f'"{name}": 1, "{name}"'.encode()))
        records.append(write({**event, f"{name} ": "1", name.upper(): "2", "": "3"}))
    whole = write(texts(good[0] | {"c": "ä💣"}))
    records += [whole[:stop] for stop in range(len(whole))]
    records += [
        whole + whole,
        whole + b"x",
        b"\xef\xbb\xbf" + whole,
        whole.decode().encode("utf-16"),
        whole[::-1],
        whole + b"\r",
    ]
    return records


@cache
def drawn() -> list[bytes | tuple[int, str]]:
    """Return what hypothesis makes: records, and values (as JSON) with the number of a field to put them in."""
    value = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.lists(st.floats(), max_size=3)
    )
    made = st.one_of(
        st.binary(max_size=60),
        st.text(max_size=40).map(str.encode),
        value.map(json.dumps).map(str.encode),
        st.tuples(st.integers(0, 99), value.map(json.dumps)),
    )
    all_made: list[bytes | tuple[int, str]] = []

    @settings(
        max_examples=DRAWN,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(made)
    def draw(one: bytes | tuple[int, str]) -> None:
        all_made.append(one)

    draw()
    return all_made


def written(good: list[dict[str, Any]], write: Write) -> list[bytes]:
    """Return the records that hypothesis makes."""
    names, whole = list(good[0]), texts(good[0])
    return [
        made if isinstance(made, bytes) else write(whole | {names[made[0] % len(names)]: made[1]}) for made in drawn()
    ]


def mutated(records: list[bytes], source: random.Random) -> bytes:
    """Return a record with some bytes changed, taken out, doubled, or put in from another one."""
    record = source.choice(records)
    for _ in range(source.randrange(1, 4)):
        start = source.randrange(len(record) + 1)
        stop = min(len(record), start + source.randrange(9))
        other = source.choice(records)[:999]
        at = source.randrange(len(other) + 1)
        put = source.choice((b"", source.randbytes(2), 2 * record[start:stop], other[at : at + 9], b'"', b"0", b","))
        record = record[:start] + put + record[stop:]
    return record


def fuzzed(good: list[dict[str, Any]], write: Write, seed: int, count: int) -> list[bytes]:
    """Return so many records, none with a line feed: the corpus, what hypothesis draws, and mutations of all."""
    source = random.Random(seed)
    records = [*corpus(good, write), *written(good, write)]
    short = [record for record in records if len(record) < 1000] + 20 * [write(texts(event)) for event in good]
    records += [mutated(short, source) for _ in range(count - len(records))]
    source.shuffle(records)
    return [record.replace(b"\n", b"\x0b") for record in records[:count]]
