"""`vars`, `blocks` and `repeat` put in: what remains, and where its mistakes are shown."""

from __future__ import annotations

from typing import Any

import pytest
from effort import at_most

from dlrun.checks.reading import Reading, read
from dlrun.errors import Problem, SpecError
from dlrun.language.component import written
from dlrun.language.text.document import parse_text
from dlrun.language.text.expansion import MAX_LAYERS


def reading(text: str) -> Reading:
    return read(parse_text(text, "spec.yaml"))


def layers_of(text: str) -> list[Any]:
    """The layers as they remain, without the defaults of settings that are beside the point."""
    result = reading(text)
    assert result.problems == []
    return [shown(layer) for layer in result.sections["model"].layers]


def shown(layer: Any) -> Any:
    """`linear 8`, `relu`; a sequential as (label, name, [layers])."""
    if layer.kind == "sequential":
        return (layer.label, layer.name, [shown(inner) for inner in layer.layers])
    main = getattr(layer, layer.main) if layer.main else None
    return layer.kind if main is None else f"{layer.kind} {main}"


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(SpecError) as raised:
        raise SpecError(reading(text).problems)
    assert raised.value.problems
    return raised.value.problems


def messages_of(text: str) -> list[str]:
    return [problem.message for problem in problems_of(text)]


def at(problem: Problem) -> tuple[int, int, int]:
    assert problem.place is not None
    return problem.place.line, problem.place.column, problem.place.length


# -- vars


def test_vars_stand_anywhere_and_keep_their_types() -> None:
    text = """
vars: {width: 16, rate: 1e-3, last: $(2 * width), sizes: [1, $width, 4], text: w$width}
description: a net $text wide
model:
  input: $sizes
  layers: [flatten, {linear: $last}, {dropout: $(rate * 100)}]
"""
    result = reading(text)
    assert result.problems == []
    assert result.sections["description"] == "a net w16 wide"
    assert result.sections["model"].input == (1, 16, 4)
    _, linear, dropout = result.sections["model"].layers
    assert linear.out_features == 32
    assert dropout.p == pytest.approx(0.1)


def test_vars_may_be_defined_in_any_order_and_hold_whole_mappings() -> None:
    text = """
vars: {big: {linear: {out_features: $n, bias: false}}, n: 5}
model: {input: 3, layers: [$big]}
"""
    result = reading(text)
    assert result.problems == []
    assert written(result.sections["model"].layers[0])["out_features"] == 5


@pytest.mark.parametrize(
    "variables",
    ["{a: $a}", "{a: $b, b: $a}", "{a: $(1 + b), b: $c, c: '$a!'}"],
)
def test_a_var_that_uses_itself_is_reported_once_and_at_its_place(variables: str) -> None:
    (problem,) = problems_of(f"vars: {variables}\nmodel: {{input: 3, layers: [{{linear: $a}}]}}\n")
    assert "itself" in problem.message
    assert at(problem)[0] == 1


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("{2x: 1}", "'2x' cannot be a name: letters, digits and '_' only"),
        ("{a-b: 1}", "'a-b' cannot be a name: letters, digits and '_' only"),
        ("{min: 1}", "'min' is a function in expressions"),
        ("{classes: 3}", "'classes' is the name of a value from the data"),
        ("[1]", "`vars` is a mapping from names to values"),
    ],
)
def test_names_that_cannot_be_are_refused(variables: str, message: str) -> None:
    assert message in messages_of(f"vars: {variables}\nmodel: {{input: 3, layers: [relu]}}\n")


def test_an_unknown_name_is_reported_at_its_place_with_the_one_that_was_meant() -> None:
    (problem,) = problems_of("vars: {width: 3}\nmodel:\n  input: 3\n  layers:\n    - linear: $(2 * widht)\n")
    assert problem.message == "unknown name 'widht'; did you mean 'width'?"
    assert at(problem) == (5, 21, 5)
    assert "$classes" in problem.hint


def test_a_broken_expression_is_reported_once_and_not_again_by_the_setting_that_needs_it() -> None:
    assert messages_of("vars: {a: $(1 / 0)}\nmodel: {input: $a, layers: [{linear: $a}, {dropout: $a}]}\n") == [
        "division by zero"
    ]


def test_what_the_data_says_is_refused_where_there_is_no_data() -> None:
    (problem,) = problems_of("model: {input: 3, layers: [{linear: $classes}]}\n")
    assert problem.message == "`$classes` comes from the data, and this spec has no `data`"
    assert problem.hint == "write the number"


def test_a_wrong_value_that_came_from_a_var_shows_the_var_as_well() -> None:
    (problem,) = problems_of("vars: {p: 1.5}\nmodel:\n  input: 3\n  layers:\n    - dropout: $p\n")
    assert problem.message == "'p' must be at most 1; received 1.5"
    assert at(problem) == (5, 16, 2)
    assert problem.place is not None
    ((note, given),) = problem.place.trail
    assert (note, given.line, given.column) == ("'p' is given here", 1, 11)


# -- blocks

BLOCK = """
blocks:
  dense:
    parameters: {out: null, p: 0.5, twice: $(2 * out)}
    layers:
      - linear: $out
      - dropout: $p
      - linear: $twice
"""


def test_a_blocks_first_parameter_is_its_main_setting_and_defaults_fill_the_others() -> None:
    text = BLOCK + "model: {input: 3, layers: [{dense: 4}, {dense: {out: 5, p: 0.1, twice: 6}}]}\n"
    assert layers_of(text) == [
        ("dense", None, ["linear 4", "dropout 0.5", "linear 8"]),
        ("dense", None, ["linear 5", "dropout 0.1", "linear 6"]),
    ]


def test_a_block_without_parameters_is_used_by_its_name_and_may_be_named() -> None:
    text = "blocks: {act: {layers: [relu]}}\nmodel: {input: 3, layers: [act, {act: {name: last}}, {act: }]}\n"
    assert layers_of(text) == [("act", None, ["relu"]), ("act", "last", ["relu"]), ("act", None, ["relu"])]


def test_a_blocks_expressions_see_its_parameters_before_vars_and_never_its_callers() -> None:
    text = """
vars: {n: 3}
blocks:
  inner: {parameters: {m: 5}, layers: [{linear: $n}, {linear: $m}]}
  outer: {parameters: {n: null}, layers: [{linear: $n}, inner, {inner: $(n + 1)}]}
model: {input: 3, layers: [{outer: 7}]}
"""
    inner = [("inner", None, ["linear 3", "linear 5"]), ("inner", None, ["linear 3", "linear 8"])]
    assert layers_of(text) == [("outer", None, ["linear 7", *inner])]


def test_a_block_may_stand_in_containers_branches_and_repeats() -> None:
    text = """
blocks:
  b: {parameters: {n: 1}, layers: [{linear: $n}]}
model:
  input: 3
  layers:
    - residual: {layers: [{b: 3}], shortcut: [b]}
    - concat: [[{b: 2}], {from: x, layers: [b]}]
    - repeat: {times: 2, layers: [{b: 4}]}
"""
    result = reading(text)
    assert result.problems == []
    residual, concat, repeat = result.sections["model"].layers
    assert [shown(layer) for layer in (*residual.layers, *residual.shortcut)] == [
        ("b", None, ["linear 3"]),
        ("b", None, ["linear 1"]),
    ]
    first, second = concat.branches
    assert [shown(layer) for layer in (*first, *second.layers)] == [
        ("b", None, ["linear 2"]),
        ("b", None, ["linear 1"]),
    ]
    turn = [("b", None, ["linear 4"])]
    assert shown(repeat) == ("repeat", None, [("turn", "0", turn), ("turn", "1", turn)])


def test_a_parameter_may_be_a_list_of_layers() -> None:
    text = """
blocks:
  wrap: {parameters: {inside: null}, layers: [relu, {residual: $inside}]}
model: {input: 3, layers: [{wrap: {inside: [{linear: 3}, tanh]}}]}
"""
    result = reading(text)
    assert result.problems == []
    _, residual = result.sections["model"].layers[0].layers
    assert [shown(layer) for layer in residual.layers] == ["linear 3", "tanh"]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("dense", "block 'dense' needs 'out'"),
        ("{dense: {p: 0.1}}", "block 'dense' needs 'out'"),
        ("{dense: {out: 3, q: 1}}", "block 'dense' has no parameter 'q'"),
        ("{dense: {out: 3, twise: 1}}", "block 'dense' has no parameter 'twise'; did you mean 'twice'?"),
    ],
)
def test_parameters_that_are_missing_or_unknown_are_reported_with_the_definition(use: str, message: str) -> None:
    (problem,) = problems_of(BLOCK + f"model: {{input: 3, layers: [{use}]}}\n")
    assert problem.message == message
    assert at(problem)[0] == 9
    ((note, place),) = problem.notes
    assert (note, place.line, place.column) == ("defined here", 3, 3)


def test_a_block_without_parameters_takes_no_main_setting() -> None:
    text = "blocks: {act: {layers: [relu]}}\nmodel: {input: 3, layers: [{act: 3}]}\n"
    assert messages_of(text) == ["block 'act' has no parameters"]


def test_a_mistake_inside_a_block_shows_where_it_is_and_where_it_was_used() -> None:
    (problem,) = problems_of(
        """blocks:
  inner: {layers: [{linear: {out_feature: 3}}]}
  outer: {layers: [inner]}
model:
  input: 3
  layers:
    - outer
    - outer
"""
    )
    assert problem.message == "unknown setting 'out_feature'; did you mean 'out_features'?"
    assert at(problem) == (2, 30, 11)
    assert problem.place is not None
    trail = [(note, place.line, place.column) for note, place in problem.place.trail]
    assert trail == [("used here", 3, 20), ("used here", 7, 7)]
    text = problem.render()
    assert text.index("out_feature: 3") < text.index("outer: {layers: [inner]}") < text.index("- outer")


def test_a_wrong_argument_shows_the_use_and_a_wrong_default_the_definition() -> None:
    given, default = problems_of(
        """blocks:
  drop: {parameters: {p: 7}, layers: [{dropout: $p}]}
model:
  input: 3
  layers:
    - drop: 8
    - drop
"""
    )
    for problem, line in ((given, 6), (default, 2)):
        assert at(problem) == (2, 49, 2)
        assert problem.place is not None
        assert ("'p' is given here", line) in [(note, place.line) for note, place in problem.place.trail]


@pytest.mark.parametrize(
    "blocks",
    [
        "{a: {layers: [a]}}",
        "{a: {layers: [b]}, b: {layers: [{residual: [a]}]}}",
        "{a: {layers: [{repeat: {times: 2, layers: [a]}}]}}",
    ],
)
def test_a_block_that_uses_itself_is_refused(blocks: str) -> None:
    assert "block 'a' uses itself" in messages_of(f"blocks: {blocks}\nmodel: {{input: 3, layers: [a]}}\n")


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ("{relu: {layers: [tanh]}}", "'relu' is a kind of layer already"),
        ("{a-b: {layers: [tanh]}}", "'a-b' cannot be a block's name: letters, digits and '_' only"),
        ("{a: [tanh]}", "block 'a' needs `layers`, a list"),
        ("{a: {layers: tanh}}", "block 'a' needs `layers`, a list"),
        ("{a: {layer: [tanh]}}", "block 'a' needs `layers`, a list"),
        ("{a: {layers: [tanh], params: {}}}", "unknown setting 'params'"),
        ("{a: {layers: [tanh], parameters: [n]}}", "`parameters` is a mapping from names to defaults"),
        ("{a: {layers: [tanh], parameters: {name: x}}}", "'name' cannot be a parameter's name"),
        ("[a]", "`blocks` is a mapping from names to blocks"),
    ],
)
def test_blocks_that_cannot_be_are_refused_used_or_not(blocks: str, message: str) -> None:
    found = messages_of(f"blocks: {blocks}\nmodel: {{input: 3, layers: [relu]}}\n")
    assert any(text.startswith(message) for text in found)


def test_blocks_that_double_each_other_are_bounded() -> None:
    lines = ["blocks:", "  b0: {layers: [relu, relu]}"]
    lines += [f"  b{i}: {{layers: [b{i - 1}, b{i - 1}]}}" for i in range(1, 40)]
    with at_most(millions=120):
        (message,) = messages_of("\n".join([*lines, "model: {input: 3, layers: [b39]}"]))
        assert message == f"this expands to more than {MAX_LAYERS:,} layers"


def test_layers_that_are_written_out_are_not_bounded_by_what_few_lines_may_make() -> None:
    written = ", ".join(["relu"] * (MAX_LAYERS + 10))
    assert reading(f"model: {{input: 3, layers: [{written}]}}\n").problems == []


def test_many_unknown_words_take_little_time() -> None:
    names = "".join(f"  v{i}: 3\n" for i in range(5000))
    uses = "".join(f"  - linear: $w{i}\n" for i in range(10000))
    with at_most(millions=200):
        messages = messages_of(f"vars:\n{names}model:\n  input: 3\n  layers:\n{uses}")
    assert len(messages) == 10000
    assert messages[0].startswith("unknown name 'w0'")


# -- repeat


def test_a_repeat_is_unrolled_into_turns_that_count_from_0() -> None:
    text = "model: {input: 3, layers: [{repeat: {times: 3, as: i, layers: [{linear: $(8 * (i + 1))}, relu]}}]}\n"
    turns = [("turn", str(i), [f"linear {8 * (i + 1)}", "relu"]) for i in range(3)]
    assert layers_of(text) == [("repeat", None, turns)]


def test_repeats_nest_and_their_counters_are_seen_within() -> None:
    text = """
vars: {n: 2}
model:
  input: 3
  layers:
    - repeat:
        times: $n
        as: i
        name: outer
        layers:
          - repeat: {times: $(i + 1), as: j, layers: [{linear: $(10 * (i + 1) + j)}]}
"""
    first = ("repeat", None, [("turn", "0", ["linear 10"])])
    second = ("repeat", None, [("turn", "0", ["linear 20"]), ("turn", "1", ["linear 21"])])
    assert layers_of(text) == [("repeat", "outer", [("turn", "0", [first]), ("turn", "1", [second])])]


def test_a_counter_is_not_known_after_its_repeat() -> None:
    text = "model: {input: 3, layers: [{repeat: {times: 2, as: i, layers: [relu]}}, {linear: $i}]}\n"
    assert messages_of(text) == ["unknown name 'i'"]


@pytest.mark.parametrize("times", ["1000000000", "1e9", "$(10 ** 9)", "9223372036854775807", str(10**30)])
def test_a_repeat_without_an_end_in_sight_is_refused_at_once(times: str) -> None:
    with at_most(millions=40):
        messages = messages_of(f"model: {{input: 3, layers: [{{repeat: {{times: {times}, layers: [relu]}}}}]}}\n")
        assert len(messages) == 1


def test_repeats_within_repeats_are_bounded_too() -> None:
    text = "relu"
    for _ in range(8):
        text = f"{{repeat: {{times: 30, layers: [{text}]}}}}"
    with at_most(millions=120):
        (message,) = messages_of(f"model: {{input: 3, layers: [{text}]}}\n")
        assert message == f"this expands to more than {MAX_LAYERS:,} layers"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{times: 0, layers: [relu]}", "'times' must be greater than 0; received 0"),
        ("{times: -1, layers: [relu]}", "'times' must be greater than 0; received -1"),
        ("{times: two, layers: [relu]}", "'times' must be a whole number; received 'two'"),
        ("{times: 1.5, layers: [relu]}", "'times' must be a whole number; received 1.5"),
        ("{layers: [relu]}", "repeat needs 'times'"),
        ("{times: 2}", "repeat needs 'layers'"),
        ("{times: 2, layers: relu}", "`layers` must be a list"),
        ("{times: 2, layers: [relu], as: 2x}", "'as' cannot be '2x'"),
        ("{time: 2, layers: [relu]}", "unknown setting 'time'; did you mean 'times'?"),
        ("3", "repeat needs 'layers'"),
    ],
)
def test_a_repeat_that_cannot_be_is_reported(settings: str, message: str) -> None:
    (problem,) = problems_of(f"model:\n  input: 3\n  layers:\n    - repeat: {settings}\n")
    assert problem.message == message
    assert at(problem)[0] == 4


def test_a_mistake_in_a_repeat_is_reported_once_however_many_turns_there_are() -> None:
    text = "model: {input: 3, layers: [{repeat: {times: 50, layers: [{linear: -1}, rely]}}]}\n"
    assert messages_of(text) == [
        "'out_features' must be greater than 0; received -1",
        "unknown layer 'rely'; did you mean 'relu'?",
    ]


def test_all_mistakes_of_a_file_are_reported_at_once() -> None:
    found = messages_of(
        """
vars: {a: $b}
blocks: {relu: {layers: []}}
model:
  input: [0]
  layers: [{linear: $c}, rely, {dropout: 2}, {repeat: {times: 0, layers: []}}]
optimizer: {adam: {lr: fast}}
"""
    )
    for start in (
        "'relu' is a kind",
        "unknown name 'c'",
        "unknown layer 'rely'",
        "'p' must be at most 1",
        "'times' must be",
    ):
        assert any(message.startswith(start) for message in found), start
    assert any("positive" in message for message in found)
    assert any(message.startswith("'lr' must be a number") for message in found)


@pytest.mark.parametrize(
    "text",
    [
        "vars: $x\nmodel: {input: 4, layers: [relu]}",
        "blocks: $x\nmodel: {input: 4, layers: [relu]}",
        "blocks: {b: $x}\nmodel: {input: 4, layers: [relu]}",
        "blocks: {b: {layers: $x}}\nmodel: {input: 4, layers: [relu]}",
        "blocks: {b: {parameters: $x, layers: [relu]}}\nmodel: {input: 4, layers: [relu]}",
        "model: {input: 4, layers: [repeat: {times: 2, layers: $x}]}",
    ],
)
def test_what_is_read_before_expressions_is_written_out(text: str) -> None:
    assert any("mapping" in problem.message or "list" in problem.message for problem in problems_of(text))


def test_an_expression_with_a_comma_is_quoted_inside_brackets() -> None:
    assert layers_of('model: {input: 4, layers: [linear: "$(max(2, 3))"]}') == ["linear 3"]
    hints = {problem.hint for problem in problems_of("model: {input: 4, layers: [linear: $(max(2, 3))]}")}
    assert any("put an expression with a comma in quotes" in hint for hint in hints)
