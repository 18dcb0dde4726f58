"""The plan: shapes, names, sharing and costs, against numbers worked by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dlrun.checks.check import check, check_model
from dlrun.components.layers import Elementwise
from dlrun.errors import SpecError
from dlrun.language.kinds import find, kinds
from dlrun.plan.network import Plan
from dlrun.shapes import ShapeError


@pytest.fixture
def planned(tmp_path: Path):
    def plan(text: str) -> Plan:
        file = tmp_path / "spec.yaml"
        file.write_text(text)
        return check_model(file)

    return plan


def outputs(plan: Plan) -> dict[str, tuple[int, ...]]:
    return {step.name: step.output for step in plan.steps}


def test_layers_without_names_are_called_by_kind_and_counted_from_one(planned) -> None:
    plan = planned("model: {input: 4, layers: [{linear: 3}, relu, {linear: 2}, relu]}")
    assert list(outputs(plan)) == ["input", "linear_1", "relu_1", "linear_2", "relu_2"]


def test_an_automatic_name_makes_way_for_a_given_one(planned) -> None:
    plan = planned("model: {input: 4, layers: [{linear: {out_features: 3, name: linear_1}}, {linear: 2}]}")
    assert list(outputs(plan)) == ["input", "linear_1", "linear_2"]


def test_blocks_and_repeats_nest_their_names_and_count_their_turns_from_zero(planned) -> None:
    plan = planned(
        """
blocks: {unit: {parameters: {width: null}, layers: [{linear: $width}, relu]}}
model:
  input: 4
  layers:
    - repeat: {times: 2, as: i, layers: [unit: $(8 * (i + 1))]}
    - repeat: {times: 1, name: tail, layers: [{linear: 3}]}
"""
    )
    assert outputs(plan) == {
        "input": (4,),
        "repeat_1.0.unit_1.linear_1": (8,),
        "repeat_1.0.unit_1.relu_1": (8,),
        "repeat_1.1.unit_1.linear_1": (16,),
        "repeat_1.1.unit_1.relu_1": (16,),
        "tail.0.linear_1": (3,),
    }
    assert plan.total == (4 * 8 + 8) + (8 * 16 + 16) + (16 * 3 + 3)


def test_a_branch_starts_at_the_running_value_at_a_name_or_from_one(planned) -> None:
    plan = planned(
        """
model:
  input: [3, 8, 8]
  layers:
    - conv2d: {name: stem, out_channels: 4, kernel_size: 3, padding: same}
    - max_pool2d: 2
    - conv_transpose2d: {out_channels: 5, kernel_size: 2, stride: 2}
    - concat: [[], stem, {from: stem, layers: [{conv2d: {out_channels: 6, kernel_size: 1}}]}]
"""
    )
    assert plan.output_shapes["output"] == (5 + 4 + 6, 8, 8)
    joined = plan.steps[-1]
    assert [plan.steps[i].name for i in joined.inputs] == ["conv_transpose2d_1", "stem", "concat_1.conv2d_1"]


def test_a_name_is_seen_inside_later_containers_but_not_outside_its_own(planned) -> None:
    inside = "model: {input: 4, layers: [{linear: {out_features: 4, name: a}}, {residual: [{add: [[], a]}]}]}"
    assert planned(inside).output_shapes["output"] == (4,)
    outside = "model: {input: 4, layers: [{residual: [{linear: {out_features: 4, name: a}}]}, {add: [[], a]}]}"
    with pytest.raises(SpecError, match="no earlier layer is called 'a'"):
        planned(outside)


def test_a_layer_used_again_is_counted_once_and_costs_twice(planned) -> None:
    plan = planned("model: {input: 4, layers: [{linear: {out_features: 4, name: a}}, relu, {use: a}]}")
    assert plan.total == 4 * 4 + 4
    assert plan.macs == 2 * 16
    assert [step.shared for step in plan.steps] == [False, False, False, True]


def test_a_group_used_again_shares_everything_inside(planned) -> None:
    plan = planned(
        """
model:
  input: 4
  layers:
    - sequential: {name: tower, layers: [{linear: 4}, {residual: [{linear: 4}]}]}
    - use: tower
"""
    )
    assert plan.total == 2 * (4 * 4 + 4)
    assert [step.name for step in plan.steps].count("tower.linear_1") == 2


def test_a_layer_used_again_on_another_size_is_refused_with_both_places(planned) -> None:
    with pytest.raises(SpecError, match=r"first used here"):
        planned("model: {input: 4, layers: [{linear: {out_features: 3, name: a}}, {use: a}]}")


def test_frozen_patterns_name_weights_or_whole_layers(planned) -> None:
    layers = "[{linear: {out_features: 3, name: a}}, {linear: {out_features: 2, name: b}}]"
    text = f"model: {{input: 4, layers: {layers}, freeze: %s}}"
    assert planned(text % "a").trainable == 3 * 2 + 2
    assert planned(text % "'*.bias'").trainable == 4 * 3 + 3 * 2
    assert planned(text % "[a.weight, b]").trainable == 3


def test_buffers_are_not_weights(planned) -> None:
    plan = planned("model: {input: [8, 4, 4], layers: [batch_norm]}")
    assert (plan.total, plan.buffers) == (16, 8 + 8 + 1)


def test_an_input_is_indices_where_an_embedding_comes_first_and_passes_through_reshaping(planned) -> None:
    plan = planned(
        "model: {input: 6, layers: [{reshape: [2, 3]}, {embedding: {num_embeddings: 9, embedding_dim: 5}}, flatten]}"
    )
    assert plan.indices["input"]
    assert plan.output_shapes["output"] == (2 * 3 * 5,)
    assert not planned("model: {input: 6, layers: [{linear: 2}]}").indices["input"]


def test_a_thousand_layers_deep_in_blocks_is_planned_and_a_billion_is_refused(planned) -> None:
    assert len(planned("model: {input: 2, layers: [{repeat: {times: 1000, layers: [{linear: 2}]}}]}").steps) == 1001
    nested = "relu"
    for _ in range(4):
        nested = f"{{repeat: {{times: 1000, layers: [{nested}]}}}}"
    with pytest.raises(SpecError, match="more than"):
        planned(f"model: {{input: 2, layers: [{nested}]}}")


def test_layers_that_use_each_other_twice_are_bounded(planned) -> None:
    groups = "".join(f", {{sequential: {{name: a{i}, layers: [use: a{i - 1}, use: a{i - 1}]}}}}" for i in range(1, 40))
    with pytest.raises(SpecError, match="this expands to more than 20,000 layers"):
        planned(f"model: {{input: 2, layers: [{{sequential: {{name: a0, layers: [relu, relu]}}}}{groups}]}}")


def test_pca_by_share_of_variance_is_planned_at_its_largest(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(
        "data: {source: {sklearn: digits}, preprocess: [{pca: 0.9}]}\n"
        "model: {layers: [{linear: $classes}]}\nloss: cross_entropy\noptimizer: adam\n"
    )
    plan = check(file).plan
    assert not plan.exact
    assert plan.total == 64 * 10 + 10


ELEMENTWISE = [kind for kind in kinds("layers") if issubclass(find("layers", kind), Elementwise)]


@pytest.mark.parametrize("kind", ELEMENTWISE)
@pytest.mark.parametrize("shapes", [[(3, 4), (3, 4)], [(3, 4), (1, 4)], [(3, 1), (1, 4)], [(1, 1), (3, 4), (3, 1)]])
def test_a_merge_broadcasts_an_axis_of_1_as_torch_does(kind: str, shapes: Any) -> None:
    layer: Any = find("layers", kind).model_construct()
    assert layer.merged_shape(shapes) == tuple(torch.broadcast_shapes(*shapes))


@pytest.mark.parametrize("kind", [*ELEMENTWISE, "residual"])
@pytest.mark.parametrize("shapes", [[(3, 4), (2, 4)], [(4,), (3, 4)], [(3, 4), (4,)]])
def test_a_merge_refuses_other_shapes(kind: str, shapes: Any) -> None:
    layer: Any = find("layers", kind).model_construct()
    with pytest.raises(ShapeError):
        layer.merged_shape(shapes)
