"""What is looked at in an event that could be decoded, before it is learned: rules, its age, its id.

All fields that they need are read at once, by one type of msgspec that knows what each is compared with; all rules are
one expression over it. Only an event that it takes for suspect, or that does not fit the type, is looked at one by one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from typing import Any

import msgspec

from stream.config import Config
from stream.decode import UNREADABLE, read_id
from stream.decoded import Decoded
from stream.fields import Fault, FieldFault
from stream.held import DUPLICATE, RULE, TOO_OLD
from stream.log import Format, Span
from stream.schema import Schema, present
from stream.times import WHOLE_TIME, alike, microseconds
from stream.where import Values, Where, Writer, fields_of, made_of, read_where, tree_of

_TYPES: Mapping[frozenset[str], Any] = {
    frozenset(("id",)): str | int | None,
    frozenset(("number",)): int | float | None,
    frozenset(("words",)): str | None,
    frozenset(("truth",)): bool | None,
    frozenset(("time",)): WHOLE_TIME | None,
}
"""The type of a field that is used in one way only; what does not fit is looked at by itself."""

FOUND_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition under which an event is not trusted. `owner`: of the features that it looks at."""

    name: str
    where: Where
    owner: str | None = None

    def fault(self, values: Values) -> Fault:
        """Say what was found."""
        found = ", ".join(f"{name} = {values[name]!r:.50}" for name in self.where.names if name in values)
        told = f"expected no event with {self.where.text}, found {found:.{FOUND_CHARS_MAX}}"
        return Fault(RULE + self.name, told, self.owner)


def read_rules(config: Config) -> list[Rule]:
    """Read the rules of `[gate]`. Raises `ConfigError`, also where one looks at nothing."""
    owners = config.owners
    rules = []
    for name, text in config.gate.rules.items():
        where = read_where(text)
        of = dict.fromkeys(owners[field] for field in where.names if field in owners)
        rules.append(Rule(name, where, ", ".join(of) or None))
    return rules


def known_already(name: str) -> Fault:
    """Say that an accepted event had this id."""
    return Fault(DUPLICATE, f"expected an id that no event had before it, found {name!r:.100} again")


class Sieve:
    """Sifts the events of one log: by rules, by age, and for their ids where they are remembered (`name`: the field).

    An event's time is in the field `moment`, else the record's own, unless the decoder has read it.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        form: Format,
        *,
        name: str | None = None,
        moment: str | None = None,
        age_max: timedelta | None = None,
    ) -> None:
        self._rules = [(rule, rule.where.on(form)) for rule in rules]
        self._text = form.kind == "csv"
        self._id = name
        self._age_max_us = None if age_max is None else age_max // timedelta(microseconds=1)
        self._moment = None if age_max is None else moment
        names = dict.fromkeys(field for rule in rules for field in rule.where.names)
        names |= dict.fromkeys(field for field in (self._id, self._moment) if field)
        self._slow = fields_of(list(names), form)
        self._fast = None if self._text else _Fast.of(rules, list(names), self._id, self._moment)

    def sift(self, span: Span, decoded: Decoded, *, anew: bool) -> Decoded:
        """Hold what is not trusted of a span's decoded events, and give the others their ids.

        Not `anew`: all were accepted once, and only their ids are wanted.
        """
        if not decoded.xs or not (anew or self._id):
            return decoded
        places = range(len(span)) if decoded.places is None else decoded.places
        events = self._read(span.values if decoded.places is None else [span.values[place] for place in places])
        faults: dict[int, Fault] = {}
        if self._id is not None:
            ids, faults = self._ids(events, self._id)
            decoded = replace(decoded, ids=ids)
        if anew and self._rules:
            faults |= self._suspects(events, [span.values[place] for place in places])
        if anew and self._age_max_us is not None:
            oldest = time.time_ns() // 1000 - self._age_max_us
            moments = [asked for asked, _ in decoded.times] or self._moments(events, span, places)
            old = Fault(TOO_OLD, "expected no event that is older than gate.age_max when it is read")
            faults |= {index: old for index, at in enumerate(moments) if at is not None and at < oldest}
        return decoded.without(faults) if faults else decoded

    def _read(self, values: Sequence[bytes]) -> list[Any]:
        """Return the fields of each event: as what the fast type made of it, else as a dict."""
        if self._fast is None:
            return list(map(self._slow, values))
        try:
            return list(map(self._fast.decode, values))
        except UNREADABLE:
            return [self._read_one(value) for value in values]

    def _read_one(self, value: bytes) -> Any:
        assert self._fast is not None, "asked where one did not fit"
        try:
            return self._fast.decode(value)
        except UNREADABLE:
            return self._slow(value)

    def _suspects(self, events: Sequence[Any], values: Sequence[bytes]) -> dict[int, Fault]:
        """Return which events a rule holds, and why: the first rule that does is named."""
        if self._fast is None:
            suspects = list(range(len(events)))
        else:
            slow = [index for index, event in enumerate(events) if type(event) is dict]
            fast = [event for event in events if type(event) is not dict] if slow else events
            suspects = self._fast.suspects(fast)
            if slow:
                at = [index for index, event in enumerate(events) if type(event) is not dict]
                suspects = [*slow, *(at[index] for index in suspects)]
        faults = {}
        for index in suspects:
            fields = self._slow(values[index])
            rule = next((rule for rule, holds in self._rules if holds(fields)), None)
            if rule is not None:
                faults[index] = rule.fault(fields)
        return faults

    def _column(self, events: Sequence[Any], name: str) -> list[Any]:
        if self._fast is None:
            return [event.get(name) for event in events]
        take = self._fast.take[name]
        return [event.get(name) if type(event) is dict else take(event) for event in events]

    def _ids(self, events: Sequence[Any], name: str) -> tuple[list[str], dict[int, Fault]]:
        """Return the id of each event, and which have none that can be read."""
        ids, faults = self._column(events, name), {}
        if set(map(type, ids)) == {str} and all(ids):
            return ids, {}
        for index, value in enumerate(ids):
            try:
                ids[index] = read_id(name, value)
            except FieldFault as found:
                ids[index], faults[index] = "", found.fault
        return ids, faults

    def _moments(self, events: Sequence[Any], span: Span, places: Sequence[int]) -> Sequence[int | None]:
        """Return the time of each event in microseconds; one without a time is not old."""
        if self._moment is None:
            stamps = (span.timestamps_ms[place] for place in places)
            return [None if stamp is None else stamp * 1000 for stamp in stamps]
        values = self._column(events, self._moment)
        return alike(values) or [self._microseconds(value) for value in values]

    def _microseconds(self, value: Any) -> int | None:
        assert self._moment is not None, "asked where there is a field"
        try:
            return microseconds(self._moment, value, text=self._text) if present(value) else None
        except FieldFault:
            return None


@dataclass(frozen=True, slots=True)
class _Fast:
    """Reads the fields of an event by one type, and looks at many events with one expression for all rules.

    `quick` raises TypeError where a number is null, `careful` does not. `take` gives a field of what was read.
    """

    decode: Callable[[bytes], Any]
    quick: Callable[[Sequence[Any]], list[int]]
    careful: Callable[[Sequence[Any]], list[int]]
    take: Mapping[str, Callable[[Any], Any]]

    def suspects(self, events: Sequence[Any]) -> list[int]:
        """Return the places of those for which a rule holds."""
        try:
            return self.quick(events)
        except TypeError:
            return self.careful(events)

    @classmethod
    def of(cls, rules: Sequence[Rule], names: Sequence[str], name: str | None, moment: str | None) -> _Fast | None:
        """Return it; None where msgspec takes no field of such a name."""
        uses: dict[str, set[str]] = {field: set() for field in names}
        for field, use in ((name, "id"), (moment, "time")):
            if field is not None:
                uses[field].add(use)
        trees = [(rule.where.text, tree_of(rule.where.text)) for rule in rules]
        for text, tree in trees:
            _Typed(text, list(names), uses, decided=False).write(tree, 0)

        def looking(*, quick: bool) -> Callable[[Sequence[Any]], list[int]]:
            tests = [_Typed(text, list(names), uses, decided=True, quick=quick).write(tree, 0) for text, tree in trees]
            test = " or ".join(tests) or "False"
            made: Callable[[Sequence[Any]], list[int]] = made_of(
                f"lambda events: [i for i, v in enumerate(events) if {test}]"
            )
            return made

        fields = [
            (f"f{i}", _TYPES.get(frozenset(uses[field]), Any), math.nan if uses[field] == {"number"} else None)
            for i, field in enumerate(names)
        ]
        rename = {f"f{i}": field for i, field in enumerate(names)}
        try:
            struct = msgspec.defstruct("Sifted", fields, rename=rename, gc=False)
        except ValueError:
            return None
        take = {field: attrgetter(f"f{i}") for i, field in enumerate(names)}
        return cls(msgspec.json.Decoder(struct).decode, looking(quick=True), looking(quick=False), take)


class _Typed(Writer):
    """Writes a condition on what `_Fast` has read: what fits a type need not be asked for it again.

    Not `decided`: it only notes how each field is used. `quick`: what it writes may raise TypeError.
    """

    def __init__(
        self, text: str, names: Sequence[str], uses: Mapping[str, set[str]], *, decided: bool, quick: bool = False
    ) -> None:
        super().__init__(text, as_text=False)
        self._names = names
        self._uses = uses
        self._decided = decided
        self._quick = quick

    def got(self, name: str) -> str:
        """See `Writer.got`."""
        at = self._at(name)
        if self._uses[name] == {"number"}:
            return f"({at} if {at} == {at} else None)"
        if self._uses[name] == {"truth"}:
            return at
        return f"({at} or None)" if self._uses[name] == {"words"} else f"({at} if present({at}) else None)"

    def compared(self, name: str, sign: str, literal: str | float) -> str:
        """See `Writer.compared`. A number that is absent is NaN, which no comparison holds for; null raises."""
        written = super().compared(name, sign, literal)
        plain = self._uses[name] == {"number"} or (self._uses[name] == {"words"} and sign == "==" and literal != "")
        return f"({self._at(name)} {sign} {literal!r})" if plain and self._quick else written

    def _at(self, name: str) -> str:
        return f"v.f{self._names.index(name)}"

    def number(self, name: str) -> str:
        """See `Writer.number`."""
        return self._of(name, "number", super().number)

    def words(self, name: str) -> str:
        """See `Writer.words`."""
        return self._of(name, "words", super().words)

    def truth(self, name: str) -> str:
        """See `Writer.truth`."""
        return self._of(name, "truth", super().truth)

    def _of(self, name: str, use: str, write: Callable[[str], str]) -> str:
        if not self._decided:
            self._uses[name].add(use)
        return self.got(name) if self._uses[name] == {use} else write(name)


def open_sieve(config: Config, form: Format, schema: Schema, *, live: bool, aged: bool, ids: bool) -> Sieve | None:
    """Return the sieve that the settings ask for; None where it would let all through. Replay wants only ids of it."""
    rules, age_max = read_rules(config) if live else [], config.gate.age_max if live and aged else None
    name = config.source.id if ids and not (schema.times and schema.times.id) else None
    if not rules and age_max is None and name is None:
        return None
    moment = config.source.moment if schema.times is None else None
    return Sieve(rules, form, name=name, moment=moment, age_max=age_max)
