"""Which events a what-if means, as a person writes it: an entry's number, or the words of the quarantine; ranges."""

from __future__ import annotations

import ast
import re
from typing import Any

from stream.errors import ConfigError
from stream.selector import Selector, read_selector

_PART = r"(?:[^;'\"]|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")+"
_PARTS = re.compile(rf"{_PART}(?:;{_PART})*", re.DOTALL)
_EXAMPLE = """for example --without 3, or --without "from 2026-01-01 to 2026-01-02; where sensor == 's7'\""""
_OFFSETS = re.compile(r"\d{1,10}:\d{1,19}(?:-\d{1,19})?")
_BARE = re.compile(r"(\d{1,19})\s*\.\.\s*(\d{1,19})")


def read_without(text: str) -> int | Selector:
    """Read which events are held back: the number of an entry, or parts joined by `;`. Raises `ConfigError`.

    >>> read_without("3"), read_without("offsets 0:5-9; where a == ';'").told()
    (3, "offsets 0:5-9; where a == ';'")
    """
    if text.strip().isascii() and text.strip().isdigit():
        return int(text)
    if not _PARTS.fullmatch(text):
        raise _refused(text, text)
    words: dict[str, Any] = {"offsets": []}
    for part in re.findall(_PART, text, re.DOTALL):
        for word, value in _read_part(text, part.strip()):
            if word == "offsets":
                words["offsets"].append(value)
            elif word in words:
                raise ConfigError(f"expected one `{word}` in --without {text!r}, found two", _EXAMPLE)
            else:
                words[word] = value
    since, until = words.get("from"), words.get("to")
    return read_selector(
        offsets=words["offsets"], since=since, until=until, key=words.get("key"), where=words.get("where")
    )


def _read_part(text: str, part: str) -> list[tuple[str, str]]:
    word, _, value = part.partition(" ")
    value = value.strip()
    if not value or word not in ("offsets", "from", "to", "key", "where"):
        raise _refused(text, part)
    if word == "offsets":
        return [(word, each.strip()) for each in value.split(",")]
    if word == "from":
        since, mark, until = value.partition(" to ")
        return [("from", since.strip()), *([("to", until.strip())] if mark else [])]
    if word == "key" and value[0] in "'\"":
        try:
            return [(word, str(ast.literal_eval(value)))]
        except (SyntaxError, ValueError):
            raise _refused(text, part) from None
    return [(word, value)]


def _refused(text: str, part: str) -> ConfigError:
    return ConfigError(
        "expected the number of an entry, or parts joined by `;`: `offsets P:A-B`, `from TIME`, `to TIME`, `key TEXT`, "
        f"`where CONDITION`; found {part!r:.200} in --without {text!r:.200}",
        _EXAMPLE,
    )


def read_skip(text: str) -> tuple[Selector, bool]:
    """Read a range that is not read at all, and whether it has bare offsets, of the one partition. See `read_without`.

    >>> read_skip("0:100-200")[0].told(), read_skip("100..200")[1], read_skip("1970-01-02..")[0].from_us
    ('offsets 0:100-200', True, 86400000000)
    """
    text = text.strip()
    if _OFFSETS.fullmatch(text):
        return read_selector(offsets=[text]), False
    if bare := _BARE.fullmatch(text):
        return read_selector(offsets=[f"0:{bare[1]}-{bare[2]}"]), True
    since, mark, until = (part.strip() for part in text.partition(".."))
    if not mark or not (since or until):
        raise ConfigError(
            f"expected --skip-range as PARTITION:START-STOP or TIME..TIME, half-open, found {text!r}",
            "for example --skip-range 0:100-200 or --skip-range 2026-01-01..2026-01-02",
        )
    return read_selector(since=since or None, until=until or None), False
