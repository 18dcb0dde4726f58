"""YAML text -> values and places: YAML 1.2's scalars, what is refused, and where every node was written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from effort import at_most
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws

from dlrun.errors import Problem, SpecError, show_path
from dlrun.language.text.document import MAX_BYTES, parse_text, read_document
from dlrun.language.text.node import Node
from dlrun.language.text.yaml_events import MAX_DEPTH, MAX_NODES


def value_of(text: str) -> Any:
    return parse_text(text, "spec.yaml").root.plain()


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(SpecError) as raised:
        parse_text(text, "spec.yaml")
    return raised.value.problems


def at(problem: Problem) -> tuple[int, int, int]:
    assert problem.place is not None
    return problem.place.line, problem.place.column, problem.place.length


# -- scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-17", -17),
        ("+3", 3),
        ("010", 10),
        ("-010", -10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1e+3", 1000.0),
        ("2.5e-1", 0.25),
        ("-1e3", -1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_a_plain_scalar_is_what_yaml_1_2_says(text: str, value: Any) -> None:
    read = value_of(f"a: {text}")["a"]
    assert read == value
    assert type(read) is type(value)


NOT_IN_YAML_1_2 = (
    "no on off yes y n No ON 2024-01-31 12:30:45 1_000 0b101 0X1F 0o8 0x -0x1F 1e e3 . - + 1.2.3 inf nan tRue nULL << ="
)


@pytest.mark.parametrize("text", [*NOT_IN_YAML_1_2.split(), "2024-01-31 10:00:00", "1 2", "１２"])
def test_what_yaml_1_1_made_of_it_is_text_here(text: str) -> None:
    assert value_of(f"a: [{json.dumps(text)}]") == {"a": (text,)}
    if text not in ("-",):
        assert value_of(f"a: {text}") == {"a": text}


def test_nan_is_read_as_such_and_refused_later_by_the_setting_that_gets_it() -> None:
    assert math.isnan(value_of("a: .nan")["a"])


@pytest.mark.parametrize("text", ["1", "1e-3", "true", "null", "", "~", ".inf", "0x1f"])
def test_quotes_make_a_text_of_anything(text: str) -> None:
    assert value_of(f"a: '{text}'") == value_of(f'a: "{text}"') == {"a": text}


def test_keys_are_always_text() -> None:
    assert value_of("{1: a, true: b, null: c, 1.5: d, '': e}") == {
        "1": "a",
        "true": "b",
        "null": "c",
        "1.5": "d",
        "": "e",
    }


def test_block_scalars_are_text() -> None:
    assert value_of("a: |\n  1\nb: >\n  one\n  two\n") == {"a": "1\n", "b": "one two\n"}


@draws(200)
@given(st.integers(1 - 10**39, 10**39) | st.floats(allow_nan=False))
def test_every_number_reads_back_as_itself(number: int | float) -> None:
    text = repr(number).replace("inf", ".inf")
    read = value_of(f"a: {text}")["a"]
    assert read == number
    assert type(read) is type(number)


trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(
        st.characters(codec="utf-8", max_codepoint=0xFFFD, exclude_categories=("Cc", "Cs", "Zl", "Zp")),
        max_size=8,
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh_$ ", min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@draws(150)
@given(trees)
def test_json_is_yaml_and_reads_as_itself(tree: Any) -> None:
    def with_tuples(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: with_tuples(item) for key, item in value.items()}
        return tuple(map(with_tuples, value)) if isinstance(value, list) else value

    assert value_of(json.dumps(tree)) == with_tuples(tree)


def test_an_empty_file_and_one_of_comments_alone_hold_nothing() -> None:
    for text in ("", "\n\n", "# nothing\n", "---\n", "--- # nothing\n...\n"):
        assert value_of(text) is None


def test_an_anchor_gives_the_same_value_again() -> None:
    assert value_of("a: &x [1, {b: 2}]\nc: *x\nd: *x\n")["d"] == (1, {"b": 2})


# -- places


def every_node(node: Node, path: tuple[Any, ...] = ()) -> list[tuple[str, Node]]:
    found = [(show_path(path), node)]
    if isinstance(node.value, dict):
        for key, inner in node.value.items():
            found += every_node(inner, (*path, key))
    if isinstance(node.value, list):
        for index, inner in enumerate(node.value):
            found += every_node(inner, (*path, index))
    return found


def test_every_node_knows_its_line_its_column_its_length_and_its_path() -> None:
    # What is in brackets is as long as they are; what is indented has a beginning and no length.
    text = (
        "name: first\n"
        "model:\n"
        "  layers:\n"
        "    - conv2d: {out_channels: 32, padding: 'same'}\n"
        "    - relu\n"
        "loss: \n"
        "über: [1.5, ä]\n"
    )
    root = parse_text(text, "spec.yaml").root
    places = {path: (node.place.line, node.place.column, node.place.length) for path, node in every_node(root)}
    assert places == {
        "": (1, 1, 0),
        "name": (1, 7, 5),
        "model": (3, 3, 0),
        "model.layers": (4, 5, 0),
        "model.layers[0]": (4, 7, 0),
        "model.layers[0].conv2d": (4, 15, 35),
        "model.layers[0].conv2d.out_channels": (4, 30, 2),
        "model.layers[0].conv2d.padding": (4, 43, 6),
        "model.layers[1]": (5, 7, 4),
        "loss": (6, 6, 0),
        "über": (7, 7, 8),
        "über[0]": (7, 8, 3),
        "über[1]": (7, 13, 1),
    }
    for path, node in every_node(root):
        assert show_path(node.place.path) == path


def test_every_key_knows_its_place() -> None:
    root = parse_text("a: 1\n'b c': {d: 2,  e: 3}\n", "spec.yaml").root
    keys = {name: (place.line, place.column, place.length) for name, place in root.keys.items()}
    assert keys == {"a": (1, 1, 1), "b c": (2, 1, 5)}
    inner = {name: (place.line, place.column) for name, place in root.value["b c"].keys.items()}
    assert inner == {"d": (2, 9), "e": (2, 16)}


@draws(100)
@given(trees)
def test_a_scalars_place_leads_back_to_its_text(tree: Any) -> None:
    text = json.dumps(tree, ensure_ascii=False, indent=1)
    for _, node in every_node(parse_text(text, "spec.yaml").root):
        if isinstance(node.value, dict | list):
            continue
        place = node.place
        written = place.source.line(place.line)[place.column - 1 : place.column - 1 + place.length]
        assert json.loads(written) == node.value


def test_locate_skips_the_name_of_a_main_setting_that_was_not_written() -> None:
    root = parse_text("layers:\n  - dropout: 0.5\n  - relu\n", "spec.yaml").root
    main, key = root.locate(("layers", 0, "dropout", "p")), root.locate(("layers", 0, "dropout"), at_key=True)
    assert (main.line, main.column) == (2, 14)
    assert (key.line, key.column) == (2, 5)
    assert root.value_at(("layers", 0, "dropout", "p")) == 0.5
    assert root.value_at(("layers", 1)) == "relu"
    assert root.value_at(("layers", 0, "linear")) is None


def test_locate_gives_the_key_of_a_value_that_was_left_empty() -> None:
    root = parse_text("model:\n  layers:\n", "spec.yaml").root
    place = root.locate(("model", "layers"))
    assert (place.line, place.column, place.length) == (2, 3, 6)


# -- what is refused


def test_a_key_written_twice_is_reported_with_both_places() -> None:
    (problem,) = problems_of("a: 1\nb: {c: 1, d: 2, c: 3}\n")
    assert problem.message == "'c' is written twice"
    assert at(problem) == (2, 17, 1)
    ((note, first),) = problem.notes
    assert (note, first.line, first.column) == ("first written here", 2, 5)


def test_all_duplicate_keys_are_reported_at_once() -> None:
    assert [at(problem)[0] for problem in problems_of("a: 1\na: 2\na: 3\nb: 1\nb: 2\n")] == [2, 3, 5]


@pytest.mark.parametrize(
    ("text", "tag", "place"),
    [
        ("a: !!python/object/apply:os.system [ls]", "!!python/object/apply:os.system", (1, 4)),
        ("a: !!str 1", "!!str", (1, 4)),
        ("a: !mine {b: 1}", "!mine", (1, 4)),
        ("a: 1\n!!str b: 2", "!!str", (2, 1)),
        ("a: !<tag:example.org,2000:x> 1", "tag:example.org,2000:x", (1, 4)),
    ],
)
def test_a_tag_is_refused_wherever_it_stands(text: str, tag: str, place: tuple[int, int]) -> None:
    (problem,) = problems_of(text)
    assert problem.message == f"tags are not part of the language: '{tag}'"
    assert at(problem)[:2] == place


def test_an_alias_inside_what_it_names_would_never_end() -> None:
    (problem,) = problems_of("a: &x\n  b: [1, *x]\n")
    assert problem.message == "'*x' is inside the value that it names, which would never end"
    assert at(problem) == (2, 10, 2)


def test_an_alias_without_an_anchor_is_refused() -> None:
    (problem,) = problems_of("a: *nothing\n")
    assert problem.message == "there is no anchor '&nothing' before this alias"


@pytest.mark.parametrize("text", ["? [1, 2]\n: a\n", "? {a: 1}\n: b\n", "{[1]: 2}"])
def test_a_key_that_is_no_word_is_refused(text: str) -> None:
    assert problems_of(text)[0].message == "a key must be a word, not a list or a mapping"


def test_a_merge_key_is_refused_and_its_replacement_named() -> None:
    (problem,) = problems_of("a: &x {b: 1}\nc:\n  <<: *x\n")
    assert problem.message == "'<<' is not part of YAML 1.2"
    assert "`extends`" in problem.hint


def test_a_billion_laughs_are_refused_at_once() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with at_most(millions=40):
        (problem,) = problems_of("\n".join(lines))
    assert problem.message == f"this expands to more than {MAX_NODES:,} values"


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ("{a: ", "}")])
def test_nesting_is_bounded_and_as_deep_as_that_it_is_read(start: str, end: str) -> None:
    assert value_of(start * MAX_DEPTH + "1" + end * MAX_DEPTH) is not None
    for depth in (MAX_DEPTH + 1, 5_000):
        (problem,) = problems_of(start * depth + "1" + end * depth)
        assert problem.message == f"nested more than {MAX_DEPTH} levels deep"


def test_a_second_document_is_refused_where_it_starts() -> None:
    (problem,) = problems_of("a: 1\n---\nb: 2\n")
    assert problem.message == "a spec is one document; this '---' starts a second one"
    assert at(problem) == (2, 1, 3)


@pytest.mark.parametrize("text", ["a:\n\tb: 1\n", "a:\n  - x\n\t- y\n"])
def test_a_tab_as_indentation_is_refused_with_the_way_out(text: str) -> None:
    (problem,) = problems_of(text)
    assert problem.message.startswith("this is not YAML")
    assert problem.hint == "YAML is indented with spaces, never tabs"


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a: 1\n b: 2\n", 2, "is a space missing after ':'"),
        ("a: [1, 2\n\n", 1, "look at the indentation and at the brackets"),
        ("a: [1, 2\nb: 3\n", 2, "look at the indentation and at the brackets"),
        ("a: {b: ${width}}\n", 1, "an expression is written $(...)"),
    ],
)
def test_a_syntax_error_has_its_line_and_the_likely_way_out(text: str, line: int, hint: str) -> None:
    (problem,) = problems_of(text)
    assert at(problem)[0] == line
    assert problem.hint.startswith(hint)


@pytest.mark.parametrize("digits", ["9" * 41, "1" + "0" * 5000, "-" + "9" * 41, "0x" + "f" * 41])
def test_a_whole_number_too_long_to_be_meant_is_refused_at_its_place(digits: str) -> None:
    (problem,) = problems_of(f"a: {digits}\n")
    assert problem.message == "a whole number of more than 40 digits"
    assert at(problem) == (1, 4, len(digits))


@pytest.mark.parametrize(("text", "column"), [("a: \0b", 4), ("abc: d\x07e", 7), ("a: '\x1b[31m'", 5)])
def test_a_character_that_yaml_does_not_allow_is_reported_with_its_place(text: str, column: int) -> None:
    (problem,) = problems_of("first: 1\n" + text)
    assert problem.message.startswith("a character that YAML does not allow: '\\x")
    assert at(problem) == (2, column, 1)


def test_a_file_larger_than_a_mebibyte_is_refused_and_one_of_that_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("a: 1\n#" + "x" * (MAX_BYTES - 6))
    assert read_document(file).root.plain() == {"a": 1}
    file.write_text("a: 1\n#" + "x" * (MAX_BYTES - 5))
    with pytest.raises(SpecError, match="is larger than 1 MiB"):
        read_document(file)


def test_bytes_that_are_not_utf_8_are_reported_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"name: a\ndescription: caf\xe9\n")
    with pytest.raises(SpecError) as raised:
        read_document(file)
    (problem,) = raised.value.problems
    assert problem.message == "this is not UTF-8 text"
    assert at(problem)[:2] == (2, 17)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "windows.yaml"
    file.write_bytes("\ufeffa: 1\r\nb:\r\n  c: text\r\n".encode())
    document = read_document(file)
    assert document.root.plain() == {"a": 1, "b": {"c": "text"}}
    place = document.root.locate(("b", "c"))
    assert (place.line, place.column, place.length) == (3, 6, 4)
    assert place.source.line(3) == "  c: text"


def test_a_file_that_is_not_there_and_a_folder_are_reported_by_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*missing\.yaml: No such file"):
        read_document(tmp_path / "missing.yaml")
    with pytest.raises(SpecError, match="is a folder; name a YAML file in it"):
        read_document(tmp_path)
    with pytest.raises(SpecError, match="cannot read"):
        read_document(Path("a\0b"))


@draws(300)
@given(st.text(max_size=60) | st.text("{}[]:-,&*!|>'\"%@`#? \n\tab1$", max_size=40))
def test_any_text_is_either_read_or_reported_with_a_place(text: str) -> None:
    try:
        root = parse_text(text, "spec.yaml").root
    except SpecError as error:
        assert all(problem.place is not None and problem.message for problem in error.problems)
        assert str(error).startswith("error: ")
    else:
        for _, node in every_node(root):
            assert node.place.line >= 1
            assert node.place.column >= 1
