"""``$name`` and ``$(...)``: simple arithmetic with named values; it can run no code.

Grammar, loosest first; ``**`` binds tighter than a sign on its left, as in Python:

    sum      product (("+" | "-") product)*
    product  signed (("*" | "/" | "//" | "%") signed)*
    signed   ("+" | "-") signed | power
    power    atom ("**" signed)?
    atom     number | name | ("min" | "max") "(" sum ("," sum)* ")" | "(" sum ")" | data "(" text ")"

`data` is a name whose value comes from the data; the text is that of an input, a target or a column:
``$categories(work)``.
"""

from __future__ import annotations

import math
import re
from typing import Any, Protocol

from dlrun.errors import LocatedError

MAX_LENGTH = 500
MAX_TEXT = 100_000
MAX_NESTING = 40
LIMIT = 2**63
FROM_DATA = ("classes", "features", "vocabulary", "categories")
"""Names whose values come from the data."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>\*\*|//|[-+*/%(),]))"
)
_REFERENCE = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|(\())")


class ExpressionError(LocatedError):
    """An expression that cannot be read or has no value; `position` counts characters from the start of the text.

    `length` is 0 where the cause is reported already.
    """

    def __init__(self, message: str, position: int = 0, length: int = 1, hint: str = ""):
        super().__init__(message, hint)
        self.position, self.length = position, length


class Lookup(Protocol):
    """Returns a name's value; `of` is what stands in brackets after a name from the data.

    Raises:
        ExpressionError: it does not know the name.
    """

    def __call__(self, name: str, of: str = "", /) -> Any: ...


def interpolate(text: str, lookup: Lookup) -> Any:
    """The value of a text that may hold expressions.

    A text that is one expression has that expression's value, of any type; otherwise each expression's
    value is written into the text, and ``$$`` is a dollar.

    Raises:
        ExpressionError: with the position of what is wrong.
    """
    if "$" not in text:
        return text
    parts: list[str] = []
    position, length = 0, len(text)
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        match = _REFERENCE.match(text, dollar)
        if match is None:
            raise ExpressionError("a lone '$'", dollar, hint="write $name, $(an expression), or $$ for a dollar")
        if match[0] == "$$":
            parts.append("$")
            position = match.end()
            continue
        if match[1]:
            name, of, end = match[1], "", match.end()
            if name in FROM_DATA and text.startswith("(", end):
                end = _closing(text, end + 1, f"'${name}('", dollar)
                of = text[match.end() + 1 : end - 1].strip()
            value = _look_up(lookup, name, of, dollar, end)
        else:
            end = _closing(text, match.end(), "'$('", dollar)
            value = evaluate(text[match.end() : end - 1], lookup, match.end())
        if dollar == 0 and end == len(text):
            return value
        parts.append(_as_text(value, dollar, end - dollar))
        length += len(parts[-1])
        if length > MAX_TEXT:
            raise ExpressionError(f"this becomes a text of more than {MAX_TEXT:,} characters", dollar, end - dollar)
        position = end
    parts.append(text[position:])
    return "".join(parts)


def evaluate(text: str, lookup: Lookup, offset: int = 0) -> Any:
    """The value of an expression; positions in errors are `offset` further right."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression of more than {MAX_LENGTH} characters", offset, len(text))
    return _Parser(text, lookup, offset).parse()


def _look_up(lookup: Lookup, name: str, of: str, position: int, end: int) -> Any:
    try:
        return lookup(name, of) if of else lookup(name)
    except ExpressionError as error:
        if error.length == 0:
            raise
        raise ExpressionError(error.message, position, end - position, error.hint) from None


def _closing(text: str, start: int, opened: str, position: int) -> int:
    """The end of the brackets that are open at `start`; `opened` is what opens them, for the error."""
    depth = 1
    for end in range(start, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            return end + 1
    hint = "add the missing ')'; inside `[...]` or `{...}`, put an expression with a comma in quotes"
    raise ExpressionError(f"{opened} is never closed", position, start - position, hint)


def _as_text(value: Any, position: int, length: int) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ExpressionError("only a number or a text can be part of a longer text", position, length)
    return str(value)


class _Parser:
    def __init__(self, text: str, lookup: Lookup, offset: int):
        self.text, self.lookup, self.offset = text, lookup, offset
        self.position = 0
        self.depth = 0
        self.kind = self.token = ""
        self.start = 0
        self.advance()

    def fail(self, message: str, hint: str = "") -> ExpressionError:
        return ExpressionError(message, self.offset + self.start, max(1, len(self.token)), hint)

    def advance(self) -> None:
        rest = self.text[self.position :]
        self.start = self.position + len(rest) - len(rest.lstrip())
        if not rest.strip():
            self.kind = self.token = ""
            return
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            self.token = self.text[self.start]
            hint = "an expression consists of numbers, names, + - * / // % **, min, max and brackets"
            raise self.fail(f"'{self.token}' means nothing here", hint)
        self.kind = match.lastgroup or ""
        self.token = match[self.kind]
        self.start = match.start(self.kind)
        self.position = match.end()

    def take(self, *operators: str) -> str:
        if self.kind == "operator" and self.token in operators:
            taken = self.token
            self.advance()
            return taken
        return ""

    def parse(self) -> Any:
        value = self.sum()
        if self.token:
            raise self.fail(f"'{self.token}' was not expected here")
        return value

    def sum(self) -> Any:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail("brackets nested too deep")
        value = self.product()
        while operator := self.take("+", "-"):
            value = self.apply(operator, value, self.product())
        self.depth -= 1
        return value

    def product(self) -> Any:
        value = self.signed()
        while operator := self.take("*", "//", "/", "%"):
            value = self.apply(operator, value, self.signed())
        return value

    def signed(self) -> Any:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail("nested too deep")
        sign = self.take("+", "-")
        value = self.signed() if sign else self.power()
        self.depth -= 1
        if not sign:
            return value
        return self.apply(sign, 0, value)

    def power(self) -> Any:
        value = self.atom()
        if self.take("**"):
            return self.apply("**", value, self.signed())
        return value

    def atom(self) -> Any:
        if self.kind == "number":
            text = self.token
            value = float(text) if any(mark in text for mark in ".eE") else int(text[:40])
            value = self.bounded(value)
            self.advance()
            return value
        if self.kind == "name":
            return self.named()
        if self.take("("):
            value = self.sum()
            self.expect(")")
            return value
        raise self.fail("a value is missing" if not self.token else f"'{self.token}' was not expected here")

    def named(self) -> Any:
        name, start = self.token, self.start
        self.advance()
        if name in ("min", "max") and self.take("("):
            values = [self.sum()]
            while self.take(","):
                values.append(self.sum())
            self.expect(")")
            numbers = [self.number(value) for value in values]
            return min(numbers) if name == "min" else max(numbers)
        begin, of = self.offset + start, ""
        if name in FROM_DATA and self.token == "(":
            end = _closing(self.text, self.position, f"'{name}('", begin)
            of, self.position = self.text[self.position : end - 1].strip(), end
            self.advance()
        return _look_up(self.lookup, name, of, begin, begin + len(name))

    def expect(self, operator: str) -> None:
        if not self.take(operator):
            raise self.fail(f"'{operator}' is missing")

    def number(self, value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail("arithmetic needs numbers")
        return value

    def bounded(self, value: Any) -> int | float:
        if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
            raise self.fail("the result is not a finite number")
        if abs(value) > LIMIT and isinstance(value, int):
            raise self.fail("the result is larger than 2**63")
        return value

    def apply(self, operator: str, left: Any, right: Any) -> int | float:
        left, right = self.number(left), self.number(right)
        if operator in ("/", "//", "%") and right == 0:
            raise self.fail("division by zero")
        try:
            return self.bounded(_compute(operator, left, right))
        except (OverflowError, ZeroDivisionError):
            raise self.fail("the result is not a finite number") from None


def _compute(operator: str, left: Any, right: Any) -> Any:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "//":
            return left // right
        case "%":
            return left % right
    if isinstance(left, int) and isinstance(right, int) and abs(left) > 1 and right > 64:
        return math.inf
    return left**right
