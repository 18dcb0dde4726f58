"""The network stops at a value, or starts at one: the encoder and the decoder of an autoencoder are the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from predicting import invoke, rows_in
from sklearn.datasets import load_digits

import dlrun
from dlrun.errors import SpecError
from dlrun.trained.rows import source_of
from dlrun.trained.run import TrainedRun, open_run
from dlrun.trained.values import shape_of, starting_at, until

SPEC = """
data: {source: {sklearn: digits}, preprocess: [minmax]}
model:
  layers:
    - sequential: {name: encoder, layers: [linear: 16, relu, linear: 6]}
    - reshape: [2, 3]
    - flatten
    - sequential: {name: decoder, layers: [linear: 16, residual: {name: again, layers: [linear: 16, relu]}, linear: 64]}
loss: {mse: input}
optimizer: adam
train: {epochs: 1, device: cpu}
tracking: off
baselines: off
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """An autoencoder, beside a file with the digits."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "spec.yaml").write_text(SPEC)
    digits = load_digits()
    lines = [",".join(map(str, row)) for row in (digits.feature_names, *digits.data[:50].tolist())]
    (folder / "rows.csv").write_text("\n".join(lines))
    return open_run(dlrun.train(folder / "spec.yaml", runs=folder / "runs").folder)


def rows_of(run: TrainedRun) -> Path:
    return run.folder.parent.parent / "rows.csv"


@pytest.mark.parametrize(
    "name", ["preprocess.minmax_1", "input", "encoder.linear_1", "encoder", "reshape_1", "decoder.again"]
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "npz"])
def test_what_follows_from_a_value_is_the_rest_of_the_network(
    name: str, ending: str, run: TrainedRun, tmp_path: Path
) -> None:
    values, whole, rest = (tmp_path / f"{part}.{ending}" for part in ("values", "whole", "rest"))
    assert invoke(run.folder, rows_of(run), "--out", whole).exit_code == 0
    assert invoke(run.folder, rows_of(run), "--at", name, "--out", values).exit_code == 0
    assert invoke(run.folder, values, "--from", name, "--out", rest).exit_code == 0
    if ending != "npz":
        assert rows_in(rest) == rows_in(whole)
        return
    with np.load(rest) as found, np.load(whole) as expected:
        np.testing.assert_array_equal(found["output"], expected["output"])


def test_a_layer_made_of_layers_has_the_value_of_its_module(run: TrainedRun) -> None:
    rows = torch.from_numpy(load_digits().data[:5])
    x = run.network.get_submodule("preprocess.minmax_1")(rows).float()
    for layer in ("linear_1", "relu_1", "linear_2"):
        x = run.network.get_submodule(f"encoder.{layer}")(x)
    torch.testing.assert_close(until(run, "encoder")(rows), x, rtol=0, atol=0)
    hidden = run.network.get_submodule("decoder.linear_1")(x)
    more = torch.relu(run.network.get_submodule("decoder.again.linear_1")(hidden))
    torch.testing.assert_close(until(run, "decoder.again")(rows), hidden + more, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["codes", "reshape_1"])
def test_an_array_of_the_value_is_found_by_its_name_or_as_the_only_one(
    name: str, run: TrainedRun, tmp_path: Path
) -> None:
    codes = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    files = [tmp_path / f"{name}.npy", tmp_path / "one.npz"]
    np.save(files[0], codes)
    np.savez(files[1], **{name: codes})
    if name == "reshape_1":
        files.append(tmp_path / "two.npz")
        np.savez(files[2], **{name: codes}, others=np.zeros(4))
    with torch.no_grad():
        hidden = run.network.get_submodule("decoder.linear_1")(torch.from_numpy(codes).flatten(1))
        more = torch.relu(run.network.get_submodule("decoder.again.linear_1")(hidden))
        expected = run.network.get_submodule("decoder.linear_2")(hidden + more).numpy()
    for file in files:
        out = tmp_path / "out.npz"
        assert invoke(run.folder, file, "--from", "reshape_1", "--out", out).exit_code == 0
        with np.load(out) as found:
            np.testing.assert_allclose(found["output"], expected, rtol=1e-6, atol=1e-7)


def test_both_ends_can_be_named(run: TrainedRun, tmp_path: Path) -> None:
    codes, one, two = (tmp_path / f"{name}.csv" for name in ("codes", "one", "two"))
    invoke(run.folder, rows_of(run), "--at", "encoder", "--out", codes)
    invoke(run.folder, codes, "--from", "encoder", "--at", "decoder.linear_1", "--out", one)
    invoke(run.folder, rows_of(run), "--at", "decoder.linear_1", "--out", two)
    assert one.read_bytes() == two.read_bytes()
    with pytest.raises(SpecError, match=r"'encoder\.relu_1' does not follow from 'encoder', where the network starts"):
        until(starting_at(run, "encoder", source_of(run, codes)), "encoder.relu_1")


@pytest.mark.parametrize("option", ["--at", "--from"])
def test_a_name_that_is_none_is_one_error(option: str, run: TrainedRun) -> None:
    done = invoke(run.folder, rows_of(run), option, "encodr")
    assert "the network has no layer 'encodr'; did you mean 'encoder'?" in str(done.exception)


def test_columns_that_are_missing_are_named(run: TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text(",".join(f"encoder[{number}]" for number in range(5)) + "\n1,2,3,4,5\n")
    done = invoke(run.folder, tmp_path / "codes.csv", "--from", "encoder")
    assert "codes.csv lacks the column 'encoder[5]'" in str(done.exception)
    np.save(tmp_path / "codes.npy", np.zeros((3, 7)))
    done = invoke(run.folder, tmp_path / "codes.npy", "--from", "encoder")
    assert "'codes' has (7,) values in each row of codes.npy, and the network takes (6,)" in str(done.exception)


def test_a_value_without_rows_has_its_columns(run: TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text(rows_of(run).read_text().partition("\n")[0] + "\n")
    for name, count in {"encoder": 6, "preprocess.minmax_1": 64}.items():
        names, *rows = invoke(run.folder, tmp_path / "none.csv", "--at", name).stdout.splitlines()
        assert names.split(",") == ["row", *(f"{name}[{number}]" for number in range(count))] and not rows
    assert shape_of(run, "reshape_1") == (2, 3)


BRANCHES = """
data: {source: {npz: rows.npz}, features: x, target: {kind: kind, size: size}}
model:
  layers:
    - linear: {out_features: 5, name: stem}
    - linear: {out_features: 4, name: left}
    - add: {name: both, branches: [[linear: 4], [{linear: {out_features: 4, name: right}}]]}
    - linear: {out_features: $classes, name: kind}
    - input: stem
    - linear: {out_features: 1, name: size}
  outputs: [kind, size]
loss: [cross_entropy: {output: kind}, mse: {output: size}]
optimizer: adam
train: {epochs: 1, device: cpu}
tracking: off
baselines: off
"""


def test_outputs_that_have_nothing_to_do_with_the_value_are_left_out(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=random.normal(size=(60, 3)), kind=np.arange(60) % 3, size=random.normal(size=60))
    (tmp_path / "spec.yaml").write_text(BRANCHES)
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    rows, whole = tmp_path / "rows.npz", tmp_path / "whole.csv"
    invoke(run.folder, rows, "--out", whole)
    names, expected = rows_in(whole)
    for start, kept in {"stem": names, "left": names[:-1], "both": names[:-1], "size": ["row", "size"]}.items():
        invoke(run.folder, rows, "--at", start, "--out", tmp_path / "value.csv")
        invoke(run.folder, tmp_path / "value.csv", "--from", start, "--out", tmp_path / "out.csv")
        places = [names.index(name) for name in kept]
        assert rows_in(tmp_path / "out.csv") == (kept, [[row[place] for place in places] for row in expected])
    said = str(invoke(run.folder, rows, "--from", "both.right").exception)
    assert "the network cannot start at 'both.right': the output 'kind' is made of 'both.linear_1' too" in said
    assert "name a value that nothing goes past" in said
