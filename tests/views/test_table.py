"""The table of a plan: groups, folding, subtotals, receptive fields and costs, against worked and published numbers."""

from pathlib import Path

import pytest
from places import BENCHMARKS

from dlrun.checks.check import check_model
from dlrun.plan.network import Plan
from dlrun.views.comparison import depth
from dlrun.views.outline import MOST_ROWS, outline
from dlrun.views.receptive_field import receptive_fields, show_field
from dlrun.views.table import Row, as_data, as_text, fit_to_width, tree

VGG16 = BENCHMARKS / "specs" / "vgg16.yaml"


@pytest.fixture
def planned(tmp_path: Path):
    def plan(layers: str, shape: str = "[3, 224, 224]", blocks: str = "{}") -> Plan:
        file = tmp_path / "spec.yaml"
        file.write_text(f"blocks: {blocks}\nmodel:\n  input: {shape}\n  layers: {layers}\n")
        return check_model(file)

    return plan


def resnet(blocks: tuple[int, ...]) -> str:
    """A bottleneck ResNet without its end."""

    def conv(width: int, size: int, stride: int = 1) -> str:
        settings = f"out_channels: {width}, kernel_size: {size}, padding: {size // 2}, stride: {stride}, bias: false"
        return f"{{conv2d: {{{settings}}}}}, batch_norm"

    def unit(width: int, stride: int, shortcut: str) -> str:
        way = ", relu, ".join([conv(width, 1, stride), conv(width, 3), conv(4 * width, 1)])
        return f"{{residual: {{layers: [{way}], shortcut: [{shortcut}]}}}}, relu"

    stages = []
    for number, times in enumerate(blocks):
        width, stride = 64 * 2**number, 2 if number else 1
        rest = f"{{repeat: {{times: {times - 1}, layers: [{unit(width, 1, '')}]}}}}"
        layers = f"{unit(width, stride, conv(4 * width, 1, stride))}, {rest}"
        stages.append(f"{{sequential: {{name: stage{number}, layers: [{layers}]}}}}")
    pool = "{max_pool2d: {kernel_size: 3, stride: 2, padding: 1}}"
    return f"[{conv(64, 7, 2)}, relu, {pool}, {', '.join(stages)}]"


def labels(rows: list[Row]) -> list[str]:
    return ["  " * row.level + row.label for row in rows]


def fields(plan: Plan) -> dict[str, str]:
    shown = map(show_field, receptive_fields(plan.steps))
    return {step.name: field for step, field in zip(plan.steps, shown, strict=True)}


def test_a_flat_net_has_a_row_a_layer(planned) -> None:
    rows = tree(planned("[{linear: 3}, relu, {linear: {out_features: 2, name: out}}]", "4"))
    assert [(row.label, row.kind, row.weights, row.params, row.macs) for row in rows] == [
        ("input", "input", "", "", 0),
        ("linear_1", "linear", "3*4 + 3", "15", 12),
        ("relu_1", "relu", "", "", 0),
        ("out", "linear", "2*3 + 2", "8", 6),
    ]


def test_equal_turns_are_folded_and_their_total_is_shown(planned) -> None:
    rows = tree(planned("[{repeat: {times: 3, layers: [{linear: 4}, relu]}}]", "4"))
    assert labels(rows) == ["input", "repeat_1 x 3", "  linear_1", "  relu_1"]
    assert (rows[1].weights, rows[1].params, rows[1].macs) == ("3 x 20", "60", 48)
    assert (rows[2].weights, rows[2].params, rows[2].macs) == ("4*4 + 4", "20", 16)


def test_a_turn_that_differs_has_its_own_row(planned) -> None:
    rows = tree(planned("[{repeat: {times: 4, layers: [{linear: 5}, relu]}}]", "4"), depth=1)
    assert labels(rows) == ["input", "repeat_1", "  0", "  1-3 x 3"]
    assert [row.params for row in rows[1:]] == ["115", "25", "90"]


@pytest.mark.parametrize(
    "other", ["{linear: 5}, relu", "{linear: 4}, tanh", "{linear: {out_features: 4, bias: false}}, relu"]
)
def test_groups_that_differ_are_not_folded(planned, other: str) -> None:
    same = "{sequential: {layers: [{linear: 4}, relu]}}"
    assert labels(tree(planned(f"[{same}, {same}]", "4"), 0)) == ["input", "sequential_1-2 x 2"]
    different = f"{{sequential: {{layers: [{other}]}}}}"
    assert labels(tree(planned(f"[{same}, {different}]", "4"), 0)) == ["input", "sequential_1", "sequential_2"]


def test_groups_that_differ_only_in_a_setting_without_numbers_are_not_folded(planned) -> None:
    one, other = (f"{{sequential: {{layers: [{{dropout: {p}}}, relu]}}}}" for p in (0.1, 0.2))
    assert len(tree(planned(f"[{one}, {one}]", "4"), 0)) == 2
    assert len(tree(planned(f"[{one}, {other}]", "4"), 0)) == 3


def test_frozen_groups_are_not_folded_with_trained_ones(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    layers = "[{sequential: {layers: [{linear: 4}, relu]}}, {sequential: {layers: [{linear: 4}, relu]}}]"
    file.write_text(f"model: {{input: 4, layers: {layers}, freeze: sequential_1}}")
    assert [row.params for row in tree(check_model(file), 0)] == ["", "20 frozen", "20"]


def test_branches_and_shortcuts_are_groups_by_themselves(planned) -> None:
    concat = "{concat: [[{linear: 2}, relu], [{linear: 3}], []]}"
    residual = "{residual: {layers: [{linear: 2}], shortcut: [{linear: 2}]}}"
    plan = planned(f"[{concat}, {residual}]", "4")
    assert labels(tree(plan)) == [
        "input",
        "concat_1",
        "  branch 1",
        "    linear_1",
        "    relu_1",
        "  branch 2: linear_2",
        "residual_1",
        "  linear_1",
        "  shortcut: linear_2",
    ]


def test_a_shared_layer_has_its_own_row_and_costs_no_weights(planned) -> None:
    rows = tree(planned("[{linear: {out_features: 4, name: a}}, relu, {use: a}]", "4"))
    assert [row.label for row in rows[1:]] == ["a", "relu_1", "a"]
    assert [(row.params, row.macs) for row in rows[1:]] == [("20", 16), ("", 0), ("shared", 16)]


@pytest.mark.parametrize("levels", [0, 1, 2, 99])
def test_subtotals_add_up_to_the_totals_at_every_depth(planned, levels: int) -> None:
    plan = planned(resnet((3, 4, 6, 3)))
    outermost = [row for row in tree(plan, levels) if row.level == 0]
    assert sum(int(row.params.replace(",", "")) for row in outermost if row.params) == plan.total
    assert sum(row.macs for row in outermost) == plan.macs
    assert sum(row.memory for row in outermost) == 4 * sum(step.activations for step in plan.steps[1:])


def test_what_is_inside_adds_up_to_the_group(planned) -> None:
    plan = planned(resnet((3, 4, 6, 3)))

    def total(start: int, stop: int) -> int:
        return sum(step.params for step in plan.steps[start:stop])

    def look(nodes) -> None:
        for node in nodes:
            if node.inside:
                each = total(node.start, node.stop) // node.times
                assert sum(total(inner.start, inner.stop) for inner in node.inside) == each
                look(node.inside)

    look(outline(plan))


def test_no_group_overlaps_another_and_every_step_is_in_the_outline_once(planned) -> None:
    plan = planned(resnet((3, 4, 6, 3)))
    covered = [index for node in outline(plan) for index in range(node.start, node.stop)]
    assert covered == list(range(len(plan.steps)))


def test_a_resnet152_fits_a_screen_and_depth_opens_more(planned) -> None:
    plan = planned(resnet((3, 8, 36, 3)))
    assert len(plan.steps) > 500
    assert len(tree(plan)) <= MOST_ROWS
    assert len(tree(plan, 0)) < len(tree(plan, 1)) < len(tree(plan, 99))
    assert {row.closed for row in tree(plan, 99)} == {False}


# Araujo, Norris and Sim, Computing receptive fields of convolutional neural networks, 2019, and the table of end-points
# in its library: https://github.com/google-research/receptive_field


def test_vgg16_sees_as_much_as_published() -> None:
    found = fields(check_model(VGG16))
    pools = [found[f"stage_{number}.max_pool2d_1"] for number in range(1, 6)]
    assert pools == ["6", "16", "44", "100", "212"]
    assert found["stage_5.repeat_1.0.conv2d_1"] == "132"
    assert found["flatten_1"] == found["linear_1"] == "all"


def test_alexnet_sees_as_much_as_published(planned) -> None:
    pool = "{max_pool2d: {kernel_size: 3, stride: 2}}"
    sizes = (
        f"{{conv2d: {{out_channels: 8, kernel_size: {size}, padding: {size // 2}}}}}, relu" for size in (5, 3, 3, 3)
    )
    first, *more = sizes
    plan = planned(
        f"[{{conv2d: {{out_channels: 8, kernel_size: 11, stride: 4}}}}, relu, {pool}, {first}, {pool}, "
        f"{', '.join(more)}, {pool}]"
    )
    found = fields(plan)
    assert [found[f"conv2d_{number}"] for number in range(1, 6)] == ["11", "51", "99", "131", "163"]
    assert [found[f"max_pool2d_{number}"] for number in range(1, 4)] == ["19", "67", "195"]


@pytest.mark.parametrize(
    ("blocks", "field", "layers"),
    [((3, 4, 6, 3), "483", 49), ((3, 4, 23, 3), "1027", 100), ((3, 8, 36, 3), "1507", 151)],
)
def test_resnets_see_as_much_as_published_and_are_as_deep_as_they_are_called(planned, blocks, field, layers) -> None:
    plan = planned(resnet(blocks))
    assert show_field(receptive_fields(plan.steps)[-1]) == field
    assert depth(plan) == layers  # the last of the 50, 101 and 152 is the linear layer


def test_dilation_widens_and_axes_are_separate(planned) -> None:
    plan = planned("[{conv2d: {out_channels: 2, kernel_size: [3, 5], dilation: [2, 1]}}]", "[1, 9, 9]")
    assert fields(plan)["conv2d_1"] == "5"
    plan = planned("[{conv2d: {out_channels: 2, kernel_size: [3, 1]}}]", "[1, 9, 9]")
    assert fields(plan)["conv2d_1"] == "3 x 1"


def test_where_paths_meet_the_larger_field_counts(planned) -> None:
    branches = ", ".join(f"[{{conv2d: {{out_channels: 2, kernel_size: {k}, padding: {k // 2}}}}}]" for k in (1, 5, 3))
    assert fields(planned(f"[{{concat: [{branches}]}}]", "[1, 9, 9]"))["concat_1"] == "5"


def test_a_global_average_sees_everything_and_so_does_what_it_gates(planned) -> None:
    gate = "[{multiply: [[], [{adaptive_avg_pool2d: 1}, sigmoid]]}]"
    assert fields(planned(gate, "[2, 8, 8]"))["multiply_1"] == "all"


def test_a_row_read_as_an_image_is_where_the_fields_begin(planned) -> None:
    plan = planned("[{reshape: [1, 8, 8]}, {conv2d: {out_channels: 2, kernel_size: 3}}]", "64")
    assert fields(plan)["conv2d_1"] == "3"


def test_a_layer_on_the_features_of_a_sequence_sees_one_step(planned) -> None:
    plan = planned("[{linear: 4}, {lstm: {hidden_size: 3, output: sequence}}, {linear: 2}]", "[5, 4]")
    assert fields(plan) == {"input": "1", "linear_1": "1", "lstm_1": "all", "linear_2": "all"}


def test_a_net_that_shrinks_and_grows_sees_as_much_as_its_place_that_sees_most(planned) -> None:
    # Followed back by hand from each place of the output.
    conv = "{conv2d: {out_channels: 2, kernel_size: 3, padding: 1}}"
    grow = "{conv_transpose2d: {out_channels: 2, kernel_size: 2, stride: 2}}"
    plan = planned(f"[{{max_pool2d: 2}}, {conv}, {grow}, {conv}, {conv}]", "[1, 16, 16]")
    extents = []
    for place in range(4, 12):
        first, last = (place - 2) // 2, (place + 2) // 2  # two convolutions, then the step up
        extents.append(2 * (last + 1 - (first - 1)) + 2)  # a convolution, then the pooling
    assert fields(plan)["conv2d_3"] == str(max(extents)) == "10"


def test_data_names_each_layers_group_field_and_activations(planned) -> None:
    data = as_data(planned("[{repeat: {times: 2, layers: [{conv2d: {out_channels: 2, kernel_size: 3}}]}}, flatten]"))
    kept = [(layer["name"], layer["group"], layer["receptive_field"], layer["activations"]) for layer in data["layers"]]
    assert kept == [
        ("repeat_1.0.conv2d_1", "repeat_1.0", [None, 3, 3], 2 * 222 * 222),
        ("repeat_1.1.conv2d_1", "repeat_1.1", [None, 5, 5], 2 * 220 * 220),
        ("flatten_1", None, [None], 2 * 220 * 220),
    ]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_keeps_to_the_width_that_there_is(planned, width: int) -> None:
    head, lines = fit_to_width(tree(check_model(VGG16)), width)
    assert max(map(len, [*head, *lines])) <= width
    assert ("weights" in " ".join(head)) == (width >= 120)
    assert any("138" in line or "102,764,544" in line for line in lines)


def test_the_text_kept_with_a_run_has_every_layer_by_its_full_name(planned) -> None:
    text = as_text(planned("[{repeat: {times: 2, layers: [{linear: 4}, relu]}}]", "4"))
    assert all(f"repeat_1.{turn}.linear_1" in text for turn in (0, 1))
    assert "40 weights" in text
