"""A condition on the fields of an event, as a person writes it: `sensor == 's7' and (delay < -100 or missing(gate))`.

Python's notation, and nothing of it but `and`, `or`, `not`, comparisons of fields with literals and with each other,
`in`, `true` and `false`, a field alone (holds if it is true), `missing(field)`, and `field("any name")`. A comparison
with a field that is missing (absent, null or empty), or of another type than the literal, does not hold; `!=` and
`not in` ask for a value that is there and another.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import msgspec

from stream.decode import UNREADABLE, csv_cells
from stream.errors import ConfigError
from stream.fields import FieldFault
from stream.log import Format
from stream.schema import present

DEPTH_MAX = 50
LENGTH_MAX = 10_000

Values = Mapping[str, Any]
Test = Callable[[Values], bool]

_OPERATORS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_COMPARE = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_LITERALS = {"true": True, "false": False}
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Where:
    """A condition. `names` are the fields that it looks at, in the order in which they stand there.

    >>> late = read_where("delay > 60 and carrier in ('UA', 'AA')")
    >>> late.names, late.holds({"delay": 90, "carrier": "UA"}), late.holds({"delay": "90", "carrier": "UA"})
    (('delay', 'carrier'), True, False)
    >>> late.on(Format("csv", ("delay", "carrier")))({"delay": "90", "carrier": "UA"})
    True
    """

    text: str
    names: tuple[str, ...]
    holds: Test
    _of_text: Test

    def on(self, form: Format) -> Test:
        """Return the condition on what `fields_of` reads; a cell of CSV is taken as what it is compared with."""
        return self._of_text if form.kind == "csv" else self.holds


def read_where(text: str) -> Where:
    """Read a condition. Raises `ConfigError`, which names what was not understood."""
    if len(text) > LENGTH_MAX:
        raise _refused(text[:50], f"found one of {len(text):,} characters")
    tree = tree_of(text)
    of_values, of_text = Writer(text, as_text=False), Writer(text, as_text=True)
    return Where(text, tuple(of_values.names_in(tree)), of_values.test(tree), of_text.test(tree))


def tree_of(text: str) -> ast.expr:
    """Return the syntax of a condition, not yet understood. Raises `ConfigError`."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refused(text, f"found no condition: {error}") from None


def made_of(written: str) -> Any:
    """Return what a `Writer` has written."""
    scope = {"_number": _number, "_truth": _truth, "_text": _text, "_both": _both, "present": present}
    return eval(written, {"__builtins__": {}, "enumerate": enumerate, **scope})  # noqa: S307 - made of reprs


def fields_of(names: Sequence[str], form: Format) -> Callable[[bytes], Values]:
    """Return what reads these fields of a record, those that are there; none of a record that cannot be read.

    >>> fields_of(["s"], Format("json"))(b'{"s": "s7", "x": [1, 2]}'), fields_of(["s"], Format("json"))(b"what")
    ({'s': 's7'}, {})
    """
    wanted = tuple(dict.fromkeys(names))

    def kept(values: Values) -> Values:
        return {name: value for name in wanted if present(value := values.get(name))}

    def read(record: bytes) -> Values:
        try:
            return kept(csv_cells(record.decode(), form.columns)) if form.kind == "csv" else kept(_object(record))
        except (*UNREADABLE, FieldFault):
            return {}

    try:
        fields = [(f"f{i}", Any, None) for i in range(len(wanted))]
        struct = msgspec.defstruct("Fields", fields, rename={f"f{i}": name for i, name in enumerate(wanted)}, gc=False)
    except ValueError:  # msgspec takes no such name
        return read
    if form.kind == "csv":
        return read
    decode = msgspec.json.Decoder(struct).decode

    def read_few(record: bytes) -> Values:
        try:
            found = decode(record)
        except UNREADABLE:
            return {}
        return {name: value for i, name in enumerate(wanted) if present(value := getattr(found, f"f{i}"))}

    return read_few


def _object(record: bytes) -> Values:
    value = msgspec.json.decode(record)
    return value if isinstance(value, dict) else {}


class Writer:
    """Writes a condition as Python that never raises: names and literals only by their repr."""

    def __init__(self, text: str, *, as_text: bool) -> None:
        self._text = text
        self._as_text = as_text

    def test(self, tree: ast.expr) -> Test:
        """Return the condition as a function of the values `v`."""
        made: Test = made_of(f"lambda v: {self.write(tree, 0)}")
        return made

    def got(self, name: str) -> str:
        """Write the value of a field, None if it is missing."""
        return f"v.get({name!r})"

    def number(self, name: str) -> str:
        """Write the value of a field that is a number, else None."""
        return f"_number({self.got(name)}, {self._as_text})"

    def words(self, name: str) -> str:
        """Write the value of a field that is text, else None."""
        return f"_text({self.got(name)})"

    def truth(self, name: str) -> str:
        """Write the value of a field that is a truth value, else None."""
        return f"_truth({self.got(name)})"

    def compared(self, name: str, sign: str, literal: str | float) -> str:
        """Write the comparison of a field with a literal of its type."""
        read = self.words(name) if isinstance(literal, str) else self.number(name)
        return f"((a := {read}) is not None and a {sign} {literal!r})"

    def names_in(self, tree: ast.expr) -> dict[str, None]:
        """Return the fields that a condition looks at, as they stand there."""
        found: dict[str, None] = {}
        nodes = [each for each in ast.walk(tree) if isinstance(each, ast.Name | ast.Call)]
        for node in sorted(nodes, key=lambda node: node.col_offset):
            if isinstance(node, ast.Name) and node.id not in (*_LITERALS, "field", "missing"):
                found[node.id] = None
            elif isinstance(node, ast.Call) and self._called(node) == "field":
                found[self._name(node)] = None
        return found

    def write(self, node: ast.expr, depth: int) -> str:
        """Write a part of a condition."""
        if depth > DEPTH_MAX:
            raise _refused(self._text, "found one nested too deeply")
        match node:
            case ast.BoolOp():
                word = " and " if isinstance(node.op, ast.And) else " or "
                return "(" + word.join(self.write(each, depth + 1) for each in node.values) + ")"
            case ast.UnaryOp(op=ast.Not()):
                return f"(not {self.write(node.operand, depth + 1)})"
            case ast.Compare():
                sides = [node.left, *node.comparators]
                pairs = zip(sides, node.ops, sides[1:], strict=False)
                return "(" + " and ".join(self._compare(*pair) for pair in pairs) + ")"
        return self._alone(node)

    def _alone(self, node: ast.expr) -> str:
        """Write what stands by itself: `missing(field)`, a truth value, or a field that must be true."""
        if isinstance(node, ast.Call) and self._called(node) == "missing" and len(node.args) == 1 and not node.keywords:
            return f"({self.got(self._name(node.args[0]))} is None)"
        if isinstance(node, ast.Name) and node.id in _LITERALS:
            return repr(_LITERALS[node.id])
        return f"({self.truth(self._name(node))} is True)"

    def _compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> str:
        sign = _OPERATORS.get(type(operator))
        if sign is None:
            raise self._not_understood(operator, left)
        if sign in ("in", "not in"):
            if not isinstance(right, ast.Tuple | ast.List | ast.Set):
                raise _refused(self._text, f"found `{sign}` without a list of literals such as ('a', 'b')")
            equal = " or ".join(self._against(left, "==", self._literal(each)) for each in right.elts) or "False"
            return f"({equal})" if sign == "in" else f"({self.got(self._name(left))} is not None and not ({equal}))"
        if self._is_field(left) and self._is_field(right):
            return f"_both({self.got(self._name(left))}, {sign!r}, {self.got(self._name(right))}, {self._as_text})"
        if self._is_field(right):
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
            return self._against(right, turned, self._literal(left))
        return self._against(left, sign, self._literal(right))

    def _against(self, field: ast.expr, sign: str, literal: Any) -> str:
        """Write the comparison of a field with a literal: of the literal's type only."""
        name = self._name(field)
        if sign == "!=":
            return f"({self.got(name)} is not None and not {self._against(field, '==', literal)})"
        if isinstance(literal, bool):
            if sign != "==":
                raise _refused(self._text, f"found `{sign}` with {str(literal).lower()}")
            return f"({self.truth(name) if self._as_text else self.got(name)} is {literal!r})"
        return self.compared(name, sign, literal)

    def _literal(self, node: ast.expr) -> Any:
        """Return a text, a finite number or a truth value."""
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Name) and node.id in _LITERALS:
            return _LITERALS[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            number = self._literal(node.operand)
            if isinstance(number, int | float) and not isinstance(number, bool):
                return -number if isinstance(node.op, ast.USub) else number
        if isinstance(value, str | bool | int) or (isinstance(value, float) and value - value == 0):
            return value
        raise self._not_understood(node, node)

    def _is_field(self, node: ast.expr) -> bool:
        return (isinstance(node, ast.Name) and node.id not in _LITERALS) or isinstance(node, ast.Call)

    def _name(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name) and node.id not in _LITERALS:
            return node.id
        if isinstance(node, ast.Call) and self._called(node) == "field" and len(node.args) == 1 and not node.keywords:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                return argument.value
        raise self._not_understood(node, node)

    def _called(self, node: ast.Call) -> str | None:
        return node.func.id if isinstance(node.func, ast.Name) else None

    def _not_understood(self, what: ast.AST, at: ast.expr) -> ConfigError:
        found = ast.get_source_segment(self._text.strip(), at) or type(what).__name__
        return _refused(self._text, f"found `{found:.80}`")


def _refused(text: str, found: str) -> ConfigError:
    return ConfigError(
        f"expected a condition on the fields of an event, {found} in {text!r:.200}",
        "for example \"sensor == 's7' and delay < -100\"; also or, not, in ('a', 'b'), missing(field), "
        'field("any name")',
    )


def _number(value: Any, of_text: bool = False) -> float | int | None:  # noqa: FBT001, FBT002 - called from what is written
    """Return a number that is one; None for all else. A cell of CSV is text that reads as one."""
    kind = type(value)
    if kind is float or kind is int:
        return value  # type: ignore[no-any-return]
    if of_text and kind is str:
        try:
            number = float(value)
        except ValueError:
            return None
        return number if number - number == 0 else None
    return None


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


def _truth(value: Any) -> bool | None:
    """Return a truth value that is one, also as text of a cell."""
    return value if type(value) is bool else _TRUTHS.get(value.lower()) if type(value) is str else None


def _both(left: Any, sign: str, right: Any, of_text: bool) -> bool:  # noqa: FBT001 - called from what is written
    """Compare two fields: numbers with numbers, else text with text, truth values only for being equal."""
    if left is None or right is None:
        return False
    a, b = _number(left, of_text), _number(right, of_text)
    if a is None or b is None:
        if type(left) is not type(right):
            return sign == "!="
        if type(left) is not str and sign not in ("==", "!="):
            return False
        a, b = left, right
    return bool(_COMPARE[sign](a, b))
