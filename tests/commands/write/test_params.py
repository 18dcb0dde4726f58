"""`dlrun params` as a user runs it: the table on a terminal and in a pipe, depth, memory, nets side by side."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from places import BENCHMARKS, SPECS

VGG16 = BENCHMARKS / "specs" / "vgg16.yaml"
NESTED = """
blocks: {unit: {parameters: {width: null}, layers: [{linear: $width}, relu]}}
model: {input: 4, layers: [{repeat: {times: 3, layers: [{unit: 4}, dropout]}}, {linear: 2}]}
"""


def params(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dlrun", "params", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def on_a_terminal(columns: int, *arguments: object) -> str:
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "LINES": "40"}
    command = [sys.executable, "-m", "dlrun", "params", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=child, stderr=child, env=environment)
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(parent)
    assert process.wait(60) == 0
    return shown.decode()


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal_and_groups_are_bold(columns: int) -> None:
    shown = on_a_terminal(columns, SPECS / "digits_residual.yaml")
    plain = shown.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\r", "")
    assert max(map(len, plain.splitlines())) <= columns
    assert "\x1b[1mrepeat_1 x 2" in shown
    assert "42,938 weights" in plain


def test_depth_opens_levels_and_closed_groups_are_mentioned(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(NESTED)
    closed, all_open = params(file, "--depth", 0).stdout, params(file, "--depth", 99).stdout
    assert "repeat_1 x 3" in closed and "unit_1" not in closed
    assert "--depth 1 opens one more level" in closed
    assert "unit_1" in all_open and "linear_1" in all_open and "opens one more level" not in all_open
    assert params(file).stdout == all_open


def test_a_batch_multiplies_the_activations(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("model: {input: 4, layers: [{linear: 256}]}")
    assert "1 KiB of activations a sample (8 KiB at batch 8)" in params(file, "--batch", 8).stdout
    assert "linear_1" in (row := params(file, "--batch", 8).stdout.splitlines()[4]) and row.endswith("8 KiB")


def test_overrides_change_the_net() -> None:
    shown = params(SPECS / "iris_logistic.yaml", "model.layers[0].linear=7").stdout
    assert "35 weights" in shown  # 4*7 + 7


def test_networks_are_compared_side_by_side() -> None:
    done = params("--compare", VGG16, SPECS / "digits_residual.yaml", SPECS / "digits_mlp.yaml")
    assert done.returncode == 0, done.stderr
    rows = {line[:30].strip(): line[30:].split("  ") for line in done.stdout.splitlines()}
    cells = {name: [cell.strip() for cell in row if cell.strip()] for name, row in rows.items()}
    assert cells[""] == ["vgg16", "digits_residual", "digits_mlp"]
    assert cells["weights"] == ["138,357,544", "42,938", "17,226"]
    assert cells["depth in layers with weights"] == ["16", "10", "3"]
    assert cells["receptive field"][0] == "212, then all"
    assert cells["receptive field"][2] == "all"
    assert cells["memory of weights"][0] == "528 MiB"  # 138,357,544 * 4 / 2**20 = 527.8


def test_nets_that_do_not_fit_beside_each_other_come_below() -> None:
    shown = on_a_terminal(80, "--compare", VGG16, *[SPECS / f"digits_{name}.yaml" for name in ("cnn", "mlp", "lda")])
    assert max(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "").rstrip("\r")) for line in shown.split("\n")) <= 80
    assert shown.count("multiply-adds") == 2


def test_a_comparison_as_data_has_every_value_as_a_number() -> None:
    vgg, lda = json.loads(params("--compare", VGG16, SPECS / "digits_lda.yaml", "--json").stdout)["specs"]
    assert vgg == {
        "spec": str(VGG16),
        "inputs": {"input": [3, 224, 224]},
        "outputs": {"output": [1000]},
        "exact": True,
        "total": 138357544,
        "trainable": 138357544,
        "macs": 15470264320,
        "depth": 16,
        "weight_bytes": 4 * 138357544,
        "activation_bytes": vgg["activation_bytes"],
        "receptive_field": [None, 212, 212],
    }
    assert (lda["total"], lda["depth"], lda["receptive_field"]) == (100, 1, None)


def test_several_specs_without_compare_are_refused_and_so_is_none() -> None:
    done = params(VGG16, SPECS / "digits_lda.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name one spec; --compare compares several" in done.stderr
    assert params("a.b=3").returncode == 2
    assert params("--compare", "a.b=3").returncode == 2


def test_the_problems_of_every_spec_are_shown_in_a_comparison(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("model: {input: 3, layers: [rely]}")
    done = params("--compare", tmp_path / "one.yaml", VGG16, tmp_path / "two.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "one.yaml" in done.stderr and "two.yaml" in done.stderr


def test_data_lists_every_layer_of_a_folded_repeat(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(NESTED)
    data = json.loads(params(file, "--json").stdout)
    assert len(data["layers"]) == 3 * 3 + 1
    assert [layer["group"] for layer in data["layers"][:3]] == ["repeat_1.0.unit_1"] * 2 + ["repeat_1.0"]


SEVERAL = """
model:
  inputs: {image: [1, 8, 8], table: 3}
  outputs: [digit, size]
  layers:
    - flatten
    - concat: {branches: [[], {from: table, layers: [{linear: 8}]}], name: both}
    - linear: {name: digit, out_features: 10}
    - input: both
    - linear: 5
    - linear: {name: size, out_features: 2}
"""
COUNTED = (3 * 8 + 8) + (72 * 10 + 10) + (72 * 5 + 5) + (5 * 2 + 2)


def test_several_inputs_and_outputs_are_shown_by_name(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(SEVERAL)
    shown = params(file).stdout
    first = [line.partition(" ")[0] for line in shown.splitlines()[3:]]
    assert first[:3] == ["image", "table", "flatten_1"]
    assert f"{COUNTED:,} weights" in shown
    data = json.loads(params(file, "--json").stdout)
    assert data["inputs"] == {"image": [1, 8, 8], "table": [3]}
    assert data["outputs"] == {"digit": [10], "size": [2]}
    assert data["total"] == sum(layer["params"] for layer in data["layers"]) == COUNTED
    assert "image" not in [layer["name"] for layer in data["layers"]]


def test_a_comparison_shows_several_inputs_and_outputs_by_name(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(SEVERAL)
    (shown,) = json.loads(params("--compare", file, "--json").stdout)["specs"]
    assert (shown["inputs"], shown["outputs"]) == ({"image": [1, 8, 8], "table": [3]}, {"digit": [10], "size": [2]})
    assert shown["depth"] == 3  # table, linear 8, linear 5, size
    shown = params("--compare", file, SPECS / "digits_mlp.yaml").stdout
    assert "image (1, 8, 8), table (3,)" in shown and "digit (10,), size (2,)" in shown
    (_, line) = [row for row in shown.splitlines() if "(10,)" in row or "(64,)" in row]
    assert line.split("  ")[-1].strip() == "(10,)"
