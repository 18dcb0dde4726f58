"""``$name`` and ``$(...)``: arithmetic as Python computes it, and nothing that could run code."""

from __future__ import annotations

import math
from typing import Any

import pytest
from effort import at_most
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import draws

from dlrun.language.text.expressions import LIMIT, MAX_LENGTH, MAX_NESTING, ExpressionError, evaluate, interpolate

NAMES: dict[str, Any] = {"width": 8, "depth": 3, "rate": 0.25, "word": "stem", "flag": True, "sizes": (1, 2)}


def lookup(name: str, of: str = "") -> Any:
    if of:
        return f"{name} of {of}"
    if name not in NAMES:
        raise ExpressionError(f"unknown name '{name}'", hint="ask")
    return NAMES[name]


def value(text: str) -> Any:
    return interpolate(text, lookup)


def error_of(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as raised:
        value(text)
    return raised.value


# -- arithmetic

numbers = (
    st.integers(0, 30).map(str)
    | st.floats(0, 30, allow_subnormal=False).map(repr)
    | st.sampled_from(["width", "depth", "rate"])
)
terms = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map("".join),
        st.tuples(inner, st.sampled_from([" + ", " - ", " * ", "/ ", " //", " % ", " ** "]), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        inner.map(lambda text: f"+ {text}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda texts: f"min({', '.join([*texts, '1'])})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda texts: f"max({', '.join([*texts, '1'])})"),
    ),
    max_leaves=8,
)


@draws(500)
@given(terms)
def test_arithmetic_has_pythons_value_type_and_precedence(text: str) -> None:
    assume(text.count("**") <= 1)  # Python itself would compute a tower of powers for ever
    assume(len(text) <= MAX_LENGTH)
    try:
        expected = eval(text, {"__builtins__": {}, "min": min, "max": max, **NAMES})
    except (ZeroDivisionError, OverflowError):
        expected = None
    if isinstance(expected, complex) or (isinstance(expected, float) and not math.isfinite(expected)):
        expected = None
    try:
        ours = evaluate(text, lookup)
    except ExpressionError as error:
        # An intermediate result too large is refused, though Python may come back from it.
        assert expected is None or error.message.startswith(("the result is larger", "the result is not a finite"))
    else:
        assert ours == expected
        assert type(ours) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(1 + 2 * 3)", 7),
        ("$((1 + 2) * 3)", 9),
        ("$(2 ** 3 ** 2)", 512),
        ("$(-2 ** 2)", -4),
        ("$(2 ** -1)", 0.5),
        ("$(7 // 2)", 3),
        ("$(-7 // 2)", -4),
        ("$(-7 % 3)", 2),
        ("$(8 / 2)", 4.0),
        ("$(10 - 4 - 3)", 3),
        ("$(100 / 10 / 5)", 2.0),
        ("$(- - 3)", 3),
        ("$(1e3)", 1000.0),
        ("$(.5 + 2.)", 2.5),
        ("$(min(3, width, depth * 4))", 3),
        ("$(max(1, 2.5))", 2.5),
        ("$(min(max(1, 5), 3))", 3),
        ("$(4 * width)", 32),
        ("$( width )", 8),
        ("$(2 ** 62)", 2**62),
        ("$(0010)", 10),
    ],
)
def test_arithmetic_worked_by_hand(text: str, expected: float) -> None:
    ours = value(text)
    assert ours == expected
    assert type(ours) is type(expected)


@pytest.mark.parametrize("text", ["$(2**10**10)", "$(9**9**9**9)", "$(2**1000000000)", "$((2**60)**(2**60))"])
def test_a_power_that_python_would_never_finish_is_refused_at_once(text: str) -> None:
    with at_most(millions=5):
        assert error_of(text).message in ("the result is not a finite number", "the result is larger than 2**63")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$(2**63 * 2)", "the result is larger than 2**63"),
        ("$(2**64)", "the result is larger than 2**63"),
        (f"$({'9' * 100})", "the result is larger than 2**63"),
        ("$(1e400)", "the result is not a finite number"),
        ("$(1e308 * 10)", "the result is not a finite number"),
        ("$((-8) ** 0.5)", "the result is not a finite number"),
        ("$(0 ** -1)", "the result is not a finite number"),
        ("$(1 / 0)", "division by zero"),
        ("$(1 // (width - 8))", "division by zero"),
        ("$(1 % 0.0)", "division by zero"),
        ("$(word + 1)", "arithmetic needs numbers"),
        ("$(flag + 1)", "arithmetic needs numbers"),
        ("$(sizes * 2)", "arithmetic needs numbers"),
        ("$(-word)", "arithmetic needs numbers"),
        ("$(min(word, 1))", "arithmetic needs numbers"),
    ],
)
def test_what_has_no_value_is_reported(text: str, message: str) -> None:
    assert error_of(text).message == message


def test_the_largest_whole_numbers_are_as_large_as_torchs() -> None:
    assert value("$(2**62 + 2**62)") == LIMIT
    assert value(f"$(-{2**63})") == -LIMIT


# -- text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no dollar", "no dollar"),
        ("", ""),
        ("$width", 8),
        ("$rate", 0.25),
        ("$word", "stem"),
        ("$flag", True),
        ("$sizes", (1, 2)),
        ("$(sizes)", (1, 2)),
        ("block-$depth", "block-3"),
        ("$depth-$width", "3-8"),
        ("$word$depth", "stem3"),
        ("a$(depth + 1)b$(2 * 3)c", "a4b6c"),
        ("$width ", "8 "),
        ("$$", "$"),
        ("$$width", "$width"),
        ("$$$width", "$8"),
        ("a$$b$$", "a$b$"),
        ("costs 5$$", "costs 5$"),
        ("$$(1 + 1)", "$(1 + 1)"),
        ("$(rate)s", "0.25s"),
    ],
)
def test_a_text_that_is_one_expression_keeps_its_type_and_any_other_stays_text(text: str, expected: Any) -> None:
    ours = value(text)
    assert ours == expected
    assert type(ours) is type(expected)


@draws(200)
@given(st.text(max_size=30))
def test_doubling_its_dollars_keeps_any_text_as_it_is(text: str) -> None:
    assert value(text.replace("$", "$$")) == text


@pytest.mark.parametrize("text", ["a $sizes", "$flag!", "x$(sizes)"])
def test_only_a_number_or_a_word_can_stand_inside_a_text(text: str) -> None:
    assert error_of(text).message == "only a number or a text can be part of a longer text"


# -- what is refused, and where


@pytest.mark.parametrize(
    ("text", "message", "position", "length"),
    [
        ("$", "a lone '$'", 0, 1),
        ("cost $ 5", "a lone '$'", 5, 1),
        ("$5", "a lone '$'", 0, 1),
        ("${width}", "a lone '$'", 0, 1),
        ("a $(1 + 2", "'$(' is never closed", 2, 2),
        ("$((1)", "'$(' is never closed", 0, 2),
        ("$()", "a value is missing", 2, 1),
        ("$(1 +)", "a value is missing", 5, 1),
        ("$(1 2)", "'2' was not expected here", 4, 1),
        ("$(1 + * 2)", "'*' was not expected here", 6, 1),
        ("$(min(1, ))", "')' was not expected here", 9, 1),
        ("$(min(1 2))", "')' is missing", 8, 1),
        ("$(wide)", "unknown name 'wide'", 2, 4),
        ("a-$wide-b", "unknown name 'wide'", 2, 5),
        ("$(1 + wide * 2)", "unknown name 'wide'", 6, 4),
        ("$(1 & 2)", "'&' means nothing here", 4, 1),
    ],
)
def test_a_mistake_is_reported_at_its_place(text: str, message: str, position: int, length: int) -> None:
    error = error_of(text)
    assert (error.message, error.position, error.length) == (message, position, length)


def test_an_unknown_name_brings_the_hint_of_who_looked_it_up() -> None:
    assert error_of("$(1 + wide)").hint == "ask"


@pytest.mark.parametrize(
    "text",
    [
        "$(width.real)",
        "$(().__class__)",
        "$(width.__class__.__mro__)",
        "$(__import__('os').system('true'))",
        "$(open('/etc/passwd'))",
        "$(eval(1))",
        "$(print(1))",
        "$(word(1))",
        "$(width(1))",
        "$(sizes[0])",
        "$([1, 2])",
        "$({1: 2})",
        "$('text')",
        '$("text")',
        "$(lambda: 1)",
        "$(1 if 1 else 2)",
        "$(1 == 1)",
        "$(1 < 2)",
        "$(not 1)",
        "$(1 or 2)",
        "$(x := 1)",
        "$(1; 2)",
        "$(1, 2)",
        "$(~1)",
        "$(1 << 2)",
        "$(1_000)",
        "$(0x10)",
        "$(1j)",
        "$(True)",
        "$(min)",
        "$(min())",
        "$(abs(1))",
        "$(width @ width)",
        "$(\\x41)",
        "$(１)",
        "$(wıdth)",
    ],
)
def test_no_attribute_no_call_no_import_and_no_other_syntax_is_reached(text: str) -> None:
    assert isinstance(error_of(text), ExpressionError)


def test_min_and_max_are_functions_only_where_they_are_called() -> None:
    with pytest.raises(ExpressionError, match="unknown name 'min'"):
        value("$(min + 1)")


def test_length_and_nesting_are_bounded() -> None:
    fits = "1" + "+1" * ((MAX_LENGTH - 1) // 2)
    assert value(f"$({fits})") == (MAX_LENGTH - 1) // 2 + 1
    assert error_of(f"$({fits + '+1'})").message == f"an expression of more than {MAX_LENGTH} characters"
    assert error_of("$(" + "(" * 200 + "1" + ")" * 200 + ")").message.startswith(("brackets nested", "nested"))
    assert error_of("$(" + "-" * 400 + "1)").message == "nested too deep"
    shallow = MAX_NESTING // 2 - 1  # a bracket holds a sum and a sign
    assert value("$(" + "(" * shallow + "1" + ")" * shallow + ")") == 1


@draws(500)
@given(st.text("$()+-*/%, 0123456789.eabcmnix_\n\t'\"[]", max_size=30))
def test_any_text_has_a_value_or_an_error_with_a_place_inside_it(text: str) -> None:
    try:
        value(text)
    except ExpressionError as error:
        assert error.message
        assert 0 <= error.position <= len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$categories(work)", "categories of work"),
        ("$categories( marital status )", "categories of marital status"),
        ("$vocabulary(size (cm))", "vocabulary of size (cm)"),
        ("$(categories(sold-at))", "categories of sold-at"),
        ("has $classes(kind) classes", "has classes of kind classes"),
        ("$width(3)", "8(3)"),
    ],
)
def test_a_name_from_the_data_takes_in_brackets_whose_it_is(text: str, expected: str) -> None:
    assert value(text) == expected


def test_brackets_after_a_name_from_the_data_need_an_end() -> None:
    assert error_of("$categories(work").message == "'$categories(' is never closed"
    assert error_of("$(2 * categories(work) + categories(pay)").message == "'$(' is never closed"
