"""What is drawn: boxes, frames, folded turns; nothing is lost and nothing is made up."""

from pathlib import Path

import pytest
from places import DRAWN_SPECS, ROOT

from dlrun.checks.check import check_model
from dlrun.plan.network import Plan
from dlrun.views.drawing.captions import FOLDED, style_of
from dlrun.views.drawing.picture import Box, Edge, Frame, Picture, picture


def lines(drawn: Picture) -> list[list[str]]:
    return [box.text() for box in drawn.boxes().values()]


def box_with(drawn: Picture, line: str) -> Box:
    (found,) = (box for box in drawn.boxes().values() if box.lines[0][0] == line)
    return found


def sources(drawn: Picture, box: Box) -> set[str]:
    boxes = drawn.boxes()
    return {boxes[edge.source].lines[0][0] for edge in drawn.edges if edge.target == box.id}


def frames(frame: Frame) -> list[Frame]:
    return [inner for child in frame.children if isinstance(child, Frame) for inner in (child, *frames(child))]


def assert_nothing_is_lost(plan: Plan, drawn: Picture) -> None:
    box_of = {step: box for box in drawn.boxes().values() for step in box.steps}
    assert sorted(box_of) == list(range(len(plan.steps)))
    assert sum(len(box.steps) for box in drawn.boxes().values()) == len(plan.steps)
    edges = set(drawn.edges)
    repeated = {box.id for frame in frames(drawn.root) if "×" in frame.title for box in frame.boxes()}
    repeated |= {box.id for box in drawn.boxes().values() if box.times > 1}
    ends = ["output"] if len(plan.outputs) == 1 else [f"output{number}" for number in range(len(plan.outputs))]
    made = {Edge(box_of[step].id, end) for step, end in zip(plan.outputs.values(), ends, strict=True)}
    for index, step in enumerate(plan.steps):
        for source in step.inputs:
            one, other = box_of[source], box_of[index]
            edge = Edge(one.id, other.id)
            if edge in edges:
                made.add(edge)
            else:  # inside one box, or from one turn to the next
                assert one is other or {one.id, other.id} <= repeated, (plan.steps[source].name, step.name)
    assert made == edges


@pytest.mark.parametrize("file", DRAWN_SPECS, ids=lambda file: file.stem)
@pytest.mark.parametrize("depth", [None, 0, 1])
def test_every_step_and_every_edge_of_a_shipped_spec_is_drawn(file: Path, depth: int | None) -> None:
    plan = check_model(file)
    assert_nothing_is_lost(plan, picture(plan, file.stem, depth))


def test_what_follows_a_layer_without_changing_the_shape_is_a_line_in_its_box(planned) -> None:
    drawn = picture(planned("model: {input: 4, layers: [{linear: 3}, batch_norm, relu, dropout, {linear: 2}]}"), "net")
    assert lines(drawn) == [["input"], ["linear 3", "batch_norm", "relu", "dropout"], ["linear 2"], ["output"]]


def test_a_value_that_is_used_twice_is_not_hidden_in_a_box(planned) -> None:
    text = "model: {input: 4, layers: [{linear: 4}, {relu: {name: kept}}, {linear: 4}, {add: [[], kept]}, relu]}"
    drawn = picture(planned(text), "net")
    assert lines(drawn) == [["input"], ["linear 4", "relu"], ["linear 4"], ["add", "relu"], ["output"]]
    text = "model: {input: 4, layers: [{linear: {out_features: 4, name: kept}}, relu, {add: [[], kept]}]}"
    drawn = picture(planned(text), "net")
    assert lines(drawn) == [["input"], ["linear 4"], ["relu"], ["add"], ["output"]]


def test_a_caption_has_the_kind_and_the_main_numbers(planned) -> None:
    text = """
model:
  input: [8, 32, 32]
  layers:
    - conv2d: {out_channels: 64, kernel_size: [3, 5], stride: 2, groups: 4}
    - max_pool2d: 2
    - conv_transpose2d: {out_channels: 6, kernel_size: 2, stride: [2, 3]}
    - crop: [[1, 2], [3, 3]]
    - crop: 1
    - dropout: 0.25
    - reshape: [-1, 6]
    - permute: [1, 0]
    - permute: [1, 0]
    - lstm: {hidden_size: 5, num_layers: 2, bidirectional: true}
"""
    drawn = picture(planned(text), "net")
    assert lines(drawn)[1:6] == [
        ["conv2d 3×5, 64, /2, 4 groups"],
        ["max_pool2d 2×2, /2"],
        ["conv_transpose2d 2×2, 6, up 2×3"],
        ["crop"],
        ["crop 1", "dropout 0.25"],
    ]
    assert lines(drawn)[6:9] == [["reshape"], ["permute"], ["permute"]]
    assert lines(drawn)[9] == ["lstm 5, 2 layers, both ways"]


def test_a_shape_is_written_where_it_changes_and_nowhere_else(planned) -> None:
    text = "model: {input: [1, 4, 4], layers: [{conv2d: {out_channels: 2, kernel_size: 1}}, \
{residual: [{conv2d: {out_channels: 2, kernel_size: 1}}]}, flatten, {linear: 32}]}"
    drawn = picture(planned(text), "net")
    assert [box.shape for box in drawn.boxes().values()] == ["1×4×4", "2×4×4", "", "", "32", "", ""]


def test_turns_that_are_alike_are_drawn_once_and_the_others_by_themselves(planned) -> None:
    text = """
blocks: {unit: {parameters: {width: null}, layers: [residual: [{linear: $width}, {linear: 8}]]}}
model:
  input: 8
  layers:
    - repeat: {times: 5, as: i, layers: [unit: "$(max(3, i))"]}
"""
    drawn = picture(planned(text), "net")
    # widths 3, 3, 3, 3, 4
    assert [frame.title for frame in frames(drawn.root)] == ["unit × 4", "unit"]
    assert [len(box.steps) for box in drawn.boxes().values()] == [1, 4, 4, 4, 1, 1, 1, 0]
    assert sources(drawn, box_with(drawn, "linear 4")) == {"add"}


def test_turns_wired_to_different_values_are_not_folded(planned) -> None:
    text = """
model:
  input: 8
  layers:
    - {linear: {out_features: 8, name: a}}
    - {linear: {out_features: 8, name: b}}
    - {sequential: [{add: [[], a]}, {linear: 8}]}
    - {sequential: [{add: [[], a]}, {linear: 8}]}
    - {sequential: [{add: [[], b]}, {linear: 8}]}
"""
    drawn = picture(planned(text), "net")
    assert [frame.title for frame in frames(drawn.root)] == ["sequential × 2", "sequential"]


def test_a_repeated_layer_is_one_box_with_the_number_of_repeats(planned) -> None:
    drawn = picture(planned("model: {input: 8, layers: [{repeat: {times: 3, layers: [{linear: 8}, relu]}}]}"), "net")
    box = box_with(drawn, "linear 8")
    assert (box.times, len(box.steps), frames(drawn.root)) == (3, 6, [])


def test_deeper_groups_are_one_box_each() -> None:
    plan = check_model(ROOT / "specs" / "digits_residual.yaml")
    drawn = picture(plan, "net", depth=0)
    assert lines(drawn)[2:5] == [["unit", "7 layers", "× 2"], ["narrower", "9 layers"], ["unit", "7 layers"]]


def test_a_given_name_is_the_title_of_a_frame(planned) -> None:
    text = """
model:
  input: 8
  layers:
    - {sequential: {name: stage_1, layers: [{linear: 4}, {linear: 4}]}}
    - {residual: {name: skip, layers: [{linear: 4}]}}
    - {residual: [{linear: 3}, {linear: 4}]}
"""
    drawn = picture(planned(text), "net")
    assert [frame.title for frame in frames(drawn.root)] == ["stage_1", "skip"]


def test_weights_are_written_on_request(planned) -> None:
    drawn = picture(planned("model: {input: 8, layers: [{linear: 100}, relu]}"), "net", with_weights=True)
    assert lines(drawn)[1] == ["linear 100", "relu", "900 weights"]


def test_a_layer_used_again_is_drawn_again_and_flows_downwards(planned) -> None:
    text = """
model:
  input: 8
  layers:
    - {sequential: {name: tower, layers: [{linear: 8}, relu, {linear: 8}]}}
    - {sequential: [{use: tower}, {linear: 2}]}
"""
    plan = planned(text)
    assert_nothing_is_lost(plan, picture(plan, "net"))


def test_every_style_that_is_folded_leaves_the_shape_alone(planned) -> None:
    plan = planned("model: {input: [4, 6, 6], layers: [batch_norm, relu, dropout, softmax, {max_pool2d: 2}, flatten]}")
    styles = {step.kind: style_of(step) for step in plan.steps}
    assert styles == {
        "input": "ends",
        "batch_norm": "norm",
        "relu": "activation",
        "dropout": "noise",
        "softmax": "activation",
        "max_pool2d": "pool",
        "flatten": "shape",
    }
    assert {"norm", "activation", "noise"} == set(FOLDED)


SEVERAL = """
model:
  inputs: {image: [1, 8, 8], table: [3]}
  outputs: [digit, size]
  layers:
    - flatten
    - concat: {branches: [[], table], name: both}
    - linear: {name: digit, out_features: 10}
    - input: both
    - linear: {name: size, out_features: 2}
"""


def test_every_input_and_every_output_has_a_box_with_its_name(planned) -> None:
    plan = planned(SEVERAL)
    drawn = picture(plan, "several")
    assert_nothing_is_lost(plan, drawn)
    ends = [box.lines[0][0] for box in drawn.boxes().values() if box.lines[0][1] == "ends"]
    assert ends == ["image", "table", "digit", "size"]
    assert sources(drawn, box_with(drawn, "flatten")) == {"image"}
    assert sources(drawn, box_with(drawn, "concat")) == {"flatten", "table"}
    assert sources(drawn, box_with(drawn, "linear 10")) == sources(drawn, box_with(drawn, "linear 2")) == {"concat"}
    assert sources(drawn, box_with(drawn, "digit")) == {"linear 10"}
    assert sources(drawn, box_with(drawn, "size")) == {"linear 2"}


def test_an_output_in_the_middle_leaves_before_what_follows_it(planned) -> None:
    layers = "[{linear: {name: middle, out_features: 8}}, relu, {linear: {name: end, out_features: 2}}]"
    drawn = picture(planned(f"model: {{input: 4, outputs: [middle, end], layers: {layers}}}"), "net")
    assert lines(drawn) == [["input"], ["linear 8"], ["relu"], ["linear 2"], ["middle"], ["end"]]
    assert sources(drawn, box_with(drawn, "middle")) == sources(drawn, box_with(drawn, "relu")) == {"linear 8"}
