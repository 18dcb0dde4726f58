"""Exported files give what `predict` gives: classes, numbers in the units of the data, texts, images, sequences."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors
import safetensors.torch
import torch
from trained.test_predict import write_rows
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.errors import RunError
from dlrun.exported import onnx as onnx_form
from dlrun.exported.program import Program, as_free_as_it_holds
from dlrun.exported.proof import MOST, prove, rows_to_compare
from dlrun.modules.private_torch import RECURRENT, recurrent_kernels_of_any_length
from dlrun.trained.evaluate import OwnRows
from dlrun.trained.predict import predict
from dlrun.trained.rows import NewRows, source_of
from dlrun.trained.run import TrainedRun, open_run

END = "optimizer: {adam: {lr: 0.02}}\ntrain: {epochs: 2, device: cpu}\ntracking: off\nbaselines: off\n"
STEPS = "preprocess: [one_hot: {columns: place}, standardize]"
TABLE = f"data: {{source: {{csv: rows.csv}}, features: [a, b, place], target: %s, {STEPS}%s}}\n"
ARRAYS = "data: {source: {npz: rows.npz}, features: %s, target: %s%s}\n"
SPLIT = ", split: {validation: 0.2, test: 0.3}"

SPECS = {
    "classes": TABLE % ("kind", SPLIT) + "model: {layers: [linear: 8, tanh, linear: $classes]}\nloss: cross_entropy\n",
    "yes or no": TABLE % ("up", SPLIT)
    + "model: {layers: [linear: 8, tanh, linear: 1, sigmoid]}\nloss: binary_cross_entropy\n",
    "margins": TABLE % ("kind", SPLIT) + "model: {layers: [linear: $classes]}\nloss: multi_margin\n",
    "numbers": TABLE % ("sum", SPLIT + ", target_preprocess: [standardize]")
    + "model: {layers: [linear: 8, tanh, linear: 1]}\nloss: mse\n",
    "two heads": TABLE
    % ("{log_softmax: kind, linear: sum}", SPLIT + ", target_preprocess: [standardize]")
    + "model: {outputs: [log_softmax, linear], layers: [linear: 8, {linear: {name: trunk, out_features: 6}}, "
    "linear: {name: log_softmax, out_features: 3}, {input: trunk}, linear: {name: linear, out_features: 1}]}\n"
    "loss: [{cross_entropy: {output: log_softmax}}, {mse: {output: linear}}]\n",
    "texts": "data: {source: {csv: rows.csv}, features: words, target: kind"
    + SPLIT
    + ", preprocess: [tokenize: {columns: words, length: 6}]}\n"
    "model: {layers: [embedding: {num_embeddings: $vocabulary, embedding_dim: 4, padding_idx: 0}, "
    "lstm: {hidden_size: 5, bidirectional: true}, linear: $classes]}\nloss: cross_entropy\n",
    "images": ARRAYS
    % ("image", "class", SPLIT + ", preprocess: [minmax]")
    + "model: {layers: [conv2d: {out_channels: 3, kernel_size: 3}, batch_norm, relu, global_avg_pool, "
    "linear: $classes]}\nloss: cross_entropy\n",
    "sequences": ARRAYS % ("steps", "class", SPLIT)
    + "model: {layers: [lstm: {hidden_size: 5, output: sequence}, gru: 4, linear: $classes]}\nloss: cross_entropy\n",
    "autoencoder": f"data: {{source: {{npz: rows.npz}}, features: image{SPLIT}}}\n"
    "model: {layers: [flatten, linear: 6, tanh, linear: 48, reshape: [3, 4, 4]]}\nloss: {mse: input}\n",
    "log": TABLE.replace("standardize", "clip: {min: -0.9}, log1p") % ("kind", SPLIT)
    + "model: {layers: [linear: $classes]}\nloss: cross_entropy\n",
}
"""Networks with different inputs and answers; two outputs have names that torch gives to values too."""


def write_data(folder: Path) -> None:
    """The rows of all specs: a table, and arrays."""
    rows = write_rows(folder / "rows.csv", 60)
    random = np.random.default_rng(4)
    for row in rows:
        row["words"] = " ".join(random.choice(["red", "green", "blue", row["kind"]], int(random.integers(1, 7))))
    with (folder / "rows.csv").open("w", newline="") as stream:
        writing = csv.DictWriter(stream, list(rows[0]))
        writing.writeheader()
        writing.writerows(rows)
    arrays: dict[str, Any] = {"image": random.normal(size=(60, 3, 4, 4)), "steps": random.normal(size=(60, 5, 2))}
    np.savez(folder / "rows.npz", **arrays, **{"class": np.arange(60) % 3})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainedRun]:
    """A trained run of each spec."""
    folder = tmp_path_factory.mktemp("runs")
    write_data(folder)
    found = {}
    for name, text in SPECS.items():
        (folder / "spec.yaml").write_text(text + END)
        found[name] = open_run(dlrun.train(folder / "spec.yaml", runs=folder / "runs").folder)
    return found


def predicted(run: TrainedRun) -> tuple[tuple[torch.Tensor, ...], dict[str, Any]]:
    """All rows of the run's file as the network takes them, and what `predict` says of them."""
    file = Path(run.source.origin()[1])
    rows = NewRows(run, source_of(run, file))
    blocks = list(predict(run, rows))
    return rows.inputs(0, rows.rows), {one.output: one.values for block in blocks for one in block.answers}


def program_of(run: TrainedRun) -> Program:
    return as_free_as_it_holds(run, lambda program: program)


def invoke(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


@pytest.mark.parametrize("name", SPECS)
def test_onnx_and_torch_give_what_predict_gives(runs: dict[str, TrainedRun], name: str, tmp_path: Path) -> None:
    run = runs[name]
    inputs, wanted = predicted(run)
    done = invoke(run.folder, "--to", "onnx", "--out", tmp_path / "net.onnx", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["rows"] == "18 test rows of the run"
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(run.plan.inputs and run.plan.input_shapes)
    assert [one.name for one in session.get_outputs()] == [output.name for output in run.outputs]
    types = {"tensor(float)": torch.float32, "tensor(double)": torch.float64, "tensor(int64)": torch.int64}
    given = [values.to(types[one.type]) for one, values in zip(session.get_inputs(), inputs, strict=True)]
    found = session.run(None, {one.name: x.numpy() for one, x in zip(session.get_inputs(), given, strict=True)})
    assert invoke(run.folder, "--to", "torch", "--out", tmp_path / "net.pt2").exit_code == 0
    with torch.no_grad():
        again = torch.export.load(tmp_path / "net.pt2").module()(*given)
    for output, values in zip(run.outputs, found, strict=True):
        want = wanted[output.name]
        scale = np.abs(want).max()
        np.testing.assert_allclose(values.reshape(want.shape), want, atol=1e-5 * scale)
        np.testing.assert_allclose(again[output.name].numpy().reshape(want.shape), want, atol=1e-5 * scale)
    about = json.loads((tmp_path / "net.onnx.json").read_text("utf-8"))
    inside = {one.key: one.value for one in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert json.loads(inside["dlrun"]) == about
    for output in run.outputs:
        meaning = about["outputs"][output.name]
        assert meaning["sizes"][0] == "N"
        if output.kind == "classes":
            assert meaning["classes"] == list(output.labels)
            assert (meaning["are"] == "probabilities") == (name != "margins")


def test_the_numbers_of_steps_are_free_where_the_network_allows_it(runs: dict[str, TrainedRun]) -> None:
    sizes = {name: program_of(runs[name]).inputs[0].sizes for name in ("sequences", "texts", "images", "classes")}
    assert sizes == {"sequences": ("N", "T", 2), "texts": ("N", "T"), "images": ("N", 3, 4, 4), "classes": ("N", 6)}


@pytest.mark.parametrize(
    ("layers", "sizes"),
    [
        ("position_embedding: {num_embeddings: 8}, lstm: 4", {"onnx": {"T": [2, 8]}, "torch": {"T": [2, 8]}}),
        ("lstm: {hidden_size: 4, coupled: true}", {"onnx": {}, "torch": {}}),
        # The windows are those of the steps, and ONNX has no such pooling.
        ("permute: [1, 0], adaptive_avg_pool1d: 2, flatten", {"onnx": {}, "torch": {"T": [2, None]}}),
    ],
)
def test_steps_are_free_as_far_as_the_file_holds(layers: str, sizes: dict[str, Any], tmp_path: Path) -> None:
    write_data(tmp_path)
    text = (
        ARRAYS % ("steps", "class", SPLIT) + f"model: {{layers: [{layers}, linear: $classes]}}\nloss: cross_entropy\n"
    )
    (tmp_path / "spec.yaml").write_text(text + END)
    folder = dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder
    found = {}
    for form, ending in (("onnx", ".onnx"), ("torch", ".pt2")):
        done = invoke(folder, "--to", form, "--out", tmp_path / f"net{ending}", "--json")
        assert done.exit_code == 0, done.exception
        found[form] = json.loads(done.stdout)["steps"]
    assert found == sizes
    assert json.loads((tmp_path / "net.onnx.json").read_text())["steps"] == sizes["onnx"]


def test_safetensors_have_every_number_of_the_network(runs: dict[str, TrainedRun], tmp_path: Path) -> None:
    run = runs["two heads"]
    assert invoke(run.folder, "--to", "safetensors", "--out", tmp_path / "net.safetensors").exit_code == 0
    tensors = safetensors.torch.load_file(tmp_path / "net.safetensors")
    again = dlrun.load_network(run.folder)
    assert {name: tuple(one.shape) for name, one in tensors.items()} == {
        name: tuple(one.shape) for name, one in again.state_dict().items()
    }
    assert all(torch.equal(tensors[name], one) for name, one in again.state_dict().items())
    with safetensors.safe_open(tmp_path / "net.safetensors", "pt") as file:
        about = json.loads(file.metadata()["dlrun"])
    assert about["inputs"]["input"]["encoders"][0]["step"] == {"one_hot": {"columns": ["place"], "minimum": 1}}
    assert about["inputs"]["input"]["encoders"][0]["learned"]["place"]["categories"] == ["far", "in, between", "near"]


def test_a_file_that_gives_something_else_is_not_written(
    runs: dict[str, TrainedRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*of: Any) -> Any:
        compute = plain(*of)
        return lambda inputs: {name: values + 0.01 for name, values in compute(inputs).items()}

    plain = onnx_form.runtime
    monkeypatch.setattr(onnx_form, "runtime", wrong)
    done = invoke(runs["classes"].folder, "--to", "onnx", "--out", tmp_path / "net.onnx")
    assert isinstance(done.exception, RunError)
    assert "is not exported: 'output' would be up to 0.01 from the network's" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_a_difference_is_allowed_by_the_scale_of_the_answers(runs: dict[str, TrainedRun]) -> None:
    run = runs["numbers"]
    rows = rows_to_compare(run)
    _, wanted = predicted(run)
    own = wanted["output"][OwnRows(run, "test").numbers]
    (found,) = prove(run, rows, lambda _: {"output": own + 1e-5 * np.abs(own).max()})
    assert found.largest == pytest.approx(1e-5 * np.abs(own).max(), rel=1e-3)
    assert found.tolerance == pytest.approx(1e-4 * np.abs(own).max())
    with pytest.raises(RunError, match="would be up to inf"):
        prove(run, rows, lambda _: {"output": np.full_like(own, np.nan)})


@pytest.mark.parametrize("name", ["classes", "texts", "log", "images"])
def test_without_the_data_rows_are_drawn(
    runs: dict[str, TrainedRun], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlrun.errors import SpecError
    from dlrun.exported import proof

    def gone(*_: Any) -> Any:
        raise SpecError("there is no file rows.csv")

    monkeypatch.setattr(proof, "OwnRows", gone)
    rows = rows_to_compare(runs[name])
    assert rows.what == f"{MOST} drawn rows; its own cannot be read: there is no file rows.csv"
    (found,) = prove(runs[name], rows, onnx_form.runtime(p := program_of(runs[name]), onnx_form.as_onnx(p, {})), p)
    assert found.largest <= found.tolerance


def test_a_number_that_a_step_is_not_defined_for_has_no_answer(tmp_path: Path) -> None:
    write_data(tmp_path)
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).uniform(0, 9, (40, 3)), y=np.arange(40) % 2)
    text = (
        ARRAYS % ("x", "y", SPLIT + ", preprocess: [log1p]")
        + "model: {layers: [linear: $classes]}\nloss: cross_entropy\n"
    )
    (tmp_path / "spec.yaml").write_text(text + END)
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    program = program_of(run)
    compute = onnx_form.runtime(program, onnx_form.as_onnx(program, {}))
    found = compute((torch.tensor([[1.0, 2, 3], [1, -1, 3], [1, -5, 3]], dtype=torch.float64),))["output"]
    assert np.isfinite(found[0]).all() and np.isnan(found[1:]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "onnx", "--out", "net.pt2"), "net.pt2 does not end with .onnx"),
        (("--to", "torch", "--out", "nowhere/net.pt2"), "there is no folder"),
    ],
)
def test_a_wrong_file_is_an_error_before_the_run_is_read(
    runs: dict[str, TrainedRun], arguments: tuple[str, ...], message: str
) -> None:
    assert message in str(invoke(runs["classes"].folder, *arguments).exception)


def test_a_library_that_is_missing_is_named(runs: dict[str, TrainedRun], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_form, "LIBRARIES", ("onnx", "onnxnever", "onnxnot"))
    error: Any = invoke(runs["classes"].folder, "--to", "onnx").exception
    assert error.problems[0].message == "onnxnever and onnxnot are not installed, and ONNX needs them"
    assert error.problems[0].hint == "pip install 'dlrun[export]'"


def test_torchs_kernels_are_as_they_were_afterwards() -> None:
    def state() -> list[Any]:
        kernels = [getattr(torch.ops.aten, name).input for name in RECURRENT]
        return [(one, dict(one.py_kernels)) for one in kernels]

    before = state()
    with recurrent_kernels_of_any_length():
        assert state() != before
    assert state() == before
