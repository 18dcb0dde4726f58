"""Predictions for new rows: the numbers of the run's own test, whatever form the rows come in."""

from __future__ import annotations

import csv
import errno
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch
from predicting import ROWS, SPEC, answers, invoke, rows_in, trained, write_rows

import dlrun
from dlrun.checks.check import check
from dlrun.commands.app import app
from dlrun.errors import RunError, SpecError
from dlrun.plan.split import Splits
from dlrun.runs.run_json import read_run
from dlrun.trained.endings import ENDINGS
from dlrun.trained.evaluate import NewLabelledRows, evaluate
from dlrun.trained.predict import answers_of, predict
from dlrun.trained.rows import NewRows, source_of
from dlrun.trained.run import open_run
from dlrun.trained.write import writer


def splits(folder: Path, *changes: str) -> Splits:
    """The numbers of the rows of the run's own splits."""
    checked = check(folder / "spec.yaml", changes, training=True)
    assert checked.data_info is not None
    return checked.data_info.splits(checked.experiment.need("data").split, checked.experiment.seed)


@pytest.mark.parametrize(
    ("target", "outputs", "loss"),
    [
        ("kind", "$classes", "cross_entropy"),
        ("kind", "$classes, log_softmax", "nll"),
        ("up", "1", "binary_cross_entropy"),
        ("up", "1, sigmoid", "binary_cross_entropy"),
        ("up", "$classes", "cross_entropy"),
        ("sum", "1", "mse"),
    ],
)
def test_the_test_rows_have_the_loss_of_the_runs_own_test(target: str, outputs: str, loss: str, tmp_path: Path) -> None:
    first, *more = outputs.split(", ")
    spec = SPEC.replace("linear: %s]", "linear: %s, " + ", ".join(more) + "]") if more else SPEC
    rows = write_rows(tmp_path / "rows.csv")
    (tmp_path / "spec.yaml").write_text(spec % (target, first, loss))
    changes = ("data.target_preprocess=[standardize]",) if target == "sum" else ()
    folder = dlrun.train(tmp_path / "spec.yaml", *changes, runs=tmp_path / "runs").folder
    (found,) = answers(open_run(folder), tmp_path / "rows.csv")
    own = splits(tmp_path, *changes)
    expected = read_run(folder).test["loss"]
    if target == "sum":
        values = np.array([row["sum"] for row in rows])
        error = np.mean((found.values[own.test, 0] - values[own.test]) ** 2)
        assert error / values[own.train].var() == pytest.approx(expected, rel=1e-5)  # the loss is in scaled units
        return
    assert sorted(found.labels) == (["high", "low", "middle"] if target == "kind" else ["no", "yes"])
    np.testing.assert_allclose(found.values.sum(1), 1, atol=1e-6)
    true = [found.labels.index(rows[row][target]) for row in own.test]
    assert -np.log(found.values[own.test, true]).mean() == pytest.approx(expected, rel=1e-5)


def test_columns_are_found_by_name_and_a_category_never_seen_has_no_place(tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    rows = write_rows(tmp_path / "rows.csv")
    with (tmp_path / "other.csv").open("w", newline="") as stream:
        writing = csv.DictWriter(stream, ["more", "place", "b", "a"])
        writing.writeheader()
        writing.writerows({"more": "?", "place": row["place"], "b": row["b"], "a": row["a"]} for row in rows)
        writing.writerow({"more": "?", "place": "elsewhere", "b": 0, "a": 0})
    (before,), (after,) = answers(run, tmp_path / "rows.csv"), answers(run, tmp_path / "other.csv")
    np.testing.assert_array_equal(before.values, after.values[:-1])
    assert np.isfinite(after.values).all()


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "parquet", "csv.gz"])
def test_the_ending_says_what_is_read(kind: str, tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    table = pyarrow.csv.read_csv(tmp_path / "rows.csv")
    file = tmp_path / f"new.{kind}"
    if kind == "tsv":
        pyarrow.csv.write_csv(table, file, pyarrow.csv.WriteOptions(delimiter="\t"))
    elif kind == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in table.to_pylist()))
    elif kind == "parquet":
        pyarrow.parquet.write_table(table, file)
    else:
        with pyarrow.output_stream(file, compression="gzip") as stream:
            stream.write((tmp_path / "rows.csv").read_bytes())
    (ours,), (theirs,) = answers(run, file), answers(run, tmp_path / "rows.csv")
    np.testing.assert_array_equal(ours.values, theirs.values)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("a,b,", "a,c,"), r"wrong.csv lacks the column 'b', which the network takes"),
        (("a,b,place", "x,y,z"), r"wrong.csv lacks the columns 'a', 'b', 'place', which the network takes"),
        (("\n", "\nmuch,1,near,low,no,3\n"), r"wrong.csv:2: column 'a' is 'much', not a number"),
        (("\n", "\n1e300,1,near,low,no,3\n"), r"row 0 holds 1e\+300, too large for float32"),
    ],
)
def test_what_cannot_be_read_is_one_error(changed: tuple[str, str], message: str, tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    text = (tmp_path / "rows.csv").read_text().replace(*changed, 1)
    (tmp_path / "wrong.csv").write_text(text)
    with pytest.raises(SpecError, match=message):
        answers(run, tmp_path / "wrong.csv")


def test_an_array_of_another_shape_is_an_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=random.normal(size=(50, 6)), y=random.integers(0, 3, 50))
    text = SPEC.replace("{csv: rows.csv}", "{npz: rows.npz}").replace("features: [a, b, place]", "features: x")
    text = text.replace("one_hot: {columns: place}, ", "")
    (tmp_path / "spec.yaml").write_text(text % ("y", "$classes", "cross_entropy"))
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    assert answers(run, tmp_path / "rows.npz")[0].values.shape == (50, 3)
    np.savez(tmp_path / "new.npz", x=random.normal(size=(5, 7)))
    with pytest.raises(SpecError, match=r"'x' has \(7,\) values in each row of new.npz, and the network takes \(6,\)"):
        answers(run, tmp_path / "new.npz")


def test_a_loss_of_margins_gives_classes_and_no_probabilities(tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "multi_margin")
    with writer(tmp_path / "out.csv") as write:
        for block in predict(run, NewRows(run, source_of(run, tmp_path / "rows.csv"))):
            write.add(block)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "row,kind" and len(lines) == ROWS + 1


@pytest.mark.parametrize("ending", [one for one in ENDINGS if one != ".npz"])
def test_every_file_has_the_row_the_class_and_the_probabilities(ending: str, tmp_path: Path) -> None:
    run = trained(
        tmp_path, "place", "$classes", "cross_entropy", "data.features=[a, b]", "data.preprocess=[standardize]"
    )
    (expected,) = answers(run, tmp_path / "rows.csv")
    out = tmp_path / f"out{ending}"
    done = invoke(run.folder, tmp_path / "rows.csv", "--out", out)
    assert done.exit_code == 0, done.output
    assert f"{ROWS} rows predicted" in done.output
    names, rows = rows_in(out)
    assert names == ["row", "place", "place=far", "place=in, between", "place=near"]
    assert [row[0] for row in rows] == list(range(ROWS))
    assert [row[1] for row in rows] == [expected.labels[number] for number in expected.decided]
    np.testing.assert_allclose([row[2:] for row in rows], expected.values, rtol=1e-6)
    assert not list(tmp_path.glob(".*"))


def test_npz_has_arrays(tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    (expected,) = answers(run, tmp_path / "rows.csv")
    assert invoke(run.folder, tmp_path / "rows.csv", "--out", tmp_path / "out.npz").exit_code == 0
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert arrays["kind"].tolist() == [expected.labels[number] for number in expected.decided]
        np.testing.assert_array_equal(arrays["kind="], expected.values)
        assert arrays["kind=classes"].tolist() == list(expected.labels)


def test_the_standard_input_and_output_are_csv(tmp_path: Path) -> None:
    run = trained(tmp_path, "sum", "1", "mse")
    done = invoke(run.folder, "-", given=(tmp_path / "rows.csv").read_bytes())
    assert done.exit_code == 0, done.output
    names, *rows = csv.reader(done.output.splitlines())
    assert names == ["row", "sum"] and len(rows) == ROWS
    (expected,) = answers(run, tmp_path / "rows.csv")
    np.testing.assert_allclose([float(row[1]) for row in rows], expected.values[:, 0], rtol=1e-6)


def test_the_output_of_a_layer_is_that_of_its_module(tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    (found,) = answers(run, tmp_path / "rows.csv", at="hidden")
    assert found.fields == tuple(f"hidden[{number}]" for number in range(8))
    seen: list[torch.Tensor] = []
    run.network.hidden.register_forward_hook(lambda _module, _given, value: seen.append(value))  # type: ignore[union-attr]
    answers(run, tmp_path / "rows.csv")
    np.testing.assert_array_equal(found.values, torch.cat(seen).numpy())
    with pytest.raises(SpecError, match="the network has no layer 'hiden'; did you mean 'hidden'"):
        answers(run, tmp_path / "rows.csv", at="hiden")


def test_an_output_that_is_no_number_decides_nothing(tmp_path: Path) -> None:
    changes = ("data.preprocess=[one_hot: {columns: place}]", "model.layers=[linear: 8, relu, linear: $classes]")
    run = trained(tmp_path, "kind", "$classes", "cross_entropy", *changes)
    text = (tmp_path / "rows.csv").read_text().splitlines()
    (tmp_path / "huge.csv").write_text("\n".join([text[0], "3e38,3e38,near,low,no,3", *text[1:5]]))
    done = invoke(run.folder, tmp_path / "huge.csv", "--out", tmp_path / "out.csv")
    assert done.exit_code == 0 and "1 row has no prediction: the network's output is not a number" in done.output
    _, rows = rows_in(tmp_path / "out.csv")
    assert rows[0][1] is None and all(math.isnan(value) for value in rows[0][2:])
    assert all(row[1] is not None for row in rows[1:])
    assert invoke(run.folder, tmp_path / "huge.csv", "--out", tmp_path / "out.npz").exit_code == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert [text == "" for text in arrays["kind"]] == [True, False, False, False, False]


@pytest.mark.parametrize("loss", ["hinge", "perceptron"])
def test_a_score_that_is_no_number_is_neither_yes_nor_no(loss: str, tmp_path: Path) -> None:
    run = trained(tmp_path, "up", "1", loss)
    (output,) = run.outputs
    (yes, no, neither) = answers_of(output, torch.tensor([[2.0], [-1.0], [math.nan]])).values
    assert (yes.tolist(), no.tolist()) == ([0, 1], [1, 0]) and np.isnan(neither).all()


def test_a_number_that_a_step_is_not_defined_for_is_one_error_with_its_row(tmp_path: Path) -> None:
    changes = ("data.preprocess=[log1p]", "data.features=[size]", "data.target=kind")
    random = np.random.default_rng(0)
    lines = [f"{value:.3f},{'big' if value > 2 else 'small'}" for value in random.uniform(1, 3, 60)]
    (tmp_path / "sizes.csv").write_text("\n".join(["size,kind", *lines]))
    (tmp_path / "spec.yaml").write_text(SPEC % ("kind", "$classes", "cross_entropy"))
    source = "data.source={csv: sizes.csv}"
    run = open_run(dlrun.train(tmp_path / "spec.yaml", source, *changes, runs=tmp_path / "runs").folder)
    (tmp_path / "new.csv").write_text("size,kind\n1,big\n-2,small\n")
    with pytest.raises(SpecError, match="row 1 holds -2; "):
        answers(run, tmp_path / "new.csv")
    with pytest.raises(SpecError, match="row 1 holds -2; "):
        evaluate(run, NewLabelledRows(run, source_of(run, tmp_path / "new.csv")))


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    (tmp_path / "wrong.csv").write_text((tmp_path / "rows.csv").read_text() + "x,1,near,low,no,3\n")
    (tmp_path / "out.csv").write_text("mine")
    for arguments in (
        (tmp_path / "wrong.csv", "--out", tmp_path / "out.csv"),
        (tmp_path / "rows.csv", "--out", tmp_path / "out.csv", "--at", "nowhere"),
        (tmp_path / "missing.csv", "--out", tmp_path / "out.csv"),
    ):
        done = invoke(run.folder, *arguments)
        assert done.exit_code != 0
        assert (tmp_path / "out.csv").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.csv"]
    assert not list(tmp_path.glob(".*.part"))
    with pytest.raises(SpecError, match=r"out.xls is none of .csv, .tsv, .parquet, .jsonl, .npz"):
        app(["predict", str(run.folder), str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.xls")])


def test_two_outputs_have_columns_of_their_own_and_several_yes_or_no_too(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(80, 4)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=x, colours=(x[:, :2] > 0).astype(np.int64), size=x[:, 3])
    (tmp_path / "spec.yaml").write_text("""
data: {source: {npz: rows.npz}, features: x, target: {tags: colours, number: size}, split: {validation: 0.2, test: 0.2}}
model:
  layers:
    - linear: {out_features: 8, name: trunk}
    - linear: {out_features: 2, name: tags}
    - input: trunk
    - linear: {out_features: 1, name: number}
  outputs: [tags, number]
loss: [binary_cross_entropy: {output: tags}, mse: {output: number}]
optimizer: adam
train: {epochs: 2, device: cpu}
tracking: off
baselines: off
""")
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    done = invoke(run.folder, tmp_path / "rows.npz")
    names, *rows = csv.reader(done.output.splitlines())
    assert names == ["row", "colours[0]", "colours[1]", "colours[0]=1", "colours[1]=1", "size"]
    values = np.array(rows, float)
    np.testing.assert_array_equal(values[:, 1:3], values[:, 3:5] > 0.5)
    with torch.no_grad():
        outputs = run.network(torch.from_numpy(x))
    np.testing.assert_allclose(values[:, 3:5], outputs["tags"].sigmoid(), rtol=1e-5)
    np.testing.assert_allclose(values[:, 5], outputs["number"][:, 0], rtol=1e-5)


def test_answers_at_each_position_have_a_line_each(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    steps = random.normal(size=(60, 5, 3)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", steps=steps, words=np.array(["p", "q"])[(steps[..., 0] > 0).astype(int)])
    (tmp_path / "spec.yaml").write_text("""
data: {source: {npz: rows.npz}, features: steps, target: words, split: {validation: 0.2, test: 0.2}}
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: {adam: {lr: 0.1}}
train: {epochs: 20, device: cpu}
tracking: off
baselines: off
""")
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    names, *rows = csv.reader(invoke(run.folder, tmp_path / "rows.npz").output.splitlines())
    assert names == ["row", "position", "words", "words=p", "words=q"] and len(rows) == 300
    assert [row[:2] for row in rows[:6]] == [*([["0", str(step)] for step in range(5)]), ["1", "0"]]
    right = [row[2] == ("q" if value > 0 else "p") for row, value in zip(rows, steps[..., 0].flatten(), strict=True)]
    assert np.mean(right) > 0.9


def test_images_and_an_autoencoder(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("""
data: {source: {sklearn: digits}, preprocess: [minmax]}
model: {layers: [linear: 8, relu, linear: 64]}
loss: {mse: input}
optimizer: adam
train: {epochs: 1, device: cpu}
tracking: off
baselines: off
""")
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    (output,) = run.outputs
    assert output.kind == "numbers" and len(output.fields) == 64


def test_a_run_with_a_refit_predicts_with_the_refit(tmp_path: Path) -> None:
    stopping = "train.early_stopping={patience: 1, then: refit}"
    run = trained(tmp_path, "kind", "$classes", "cross_entropy", stopping)
    assert run.folder.name == "refit"
    assert open_run(run.folder.parent).folder.samefile(run.folder)


def test_ctrl_c_leaves_the_old_file_and_no_part_of_a_new_one(tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    (tmp_path / "out.csv").write_text("mine")
    program = (
        "import os, signal, sys\n"
        "import dlrun.trained.write as w\n"
        "own = w._Table.add\n"
        "def add(self, block):\n    own(self, block)\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "w._Table.add = add\n"
        "from dlrun.__main__ import main\n"
        "main()\n"
    )
    arguments = ["predict", str(run.folder), str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.csv")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 130 and "interrupted" in done.stderr, done.stderr
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_without_rows_has_predictions_without_rows(ending: str, tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    (tmp_path / "none.csv").write_text("a,b,place\n")
    out = tmp_path / f"out{ending}"
    done = invoke(run.folder, tmp_path / "none.csv", "--out", out)
    assert done.exit_code == 0 and "0 rows predicted" in done.output
    if ending == ".npz":
        with np.load(out, allow_pickle=False) as arrays:
            assert [arrays[name].shape for name in ("row", "kind", "kind=")] == [(0,), (0,), (0, 3)]
    elif ending == ".jsonl":
        assert out.read_bytes() == b""
    else:
        assert rows_in(out) == (["row", "kind", "kind=high", "kind=low", "kind=middle"], [])
    assert invoke(run.folder, tmp_path / "none.csv", "--at", "hidden").output.startswith("row,hidden[0],hidden[1],")


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_typed_files_without_rows_have_predictions_without_rows(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", a=random.normal(size=50), y=random.integers(0, 2, 50))
    text = SPEC.replace("{csv: rows.csv}", "{npz: rows.npz}").replace("features: [a, b, place]", "features: a")
    text = text.replace("one_hot: {columns: place}, ", "")
    (tmp_path / "spec.yaml").write_text(text % ("y", "1", "binary_cross_entropy"))
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    file = tmp_path / f"none.{kind}"
    if kind == "npz":
        np.savez(file, a=np.zeros(0))
    else:
        pyarrow.parquet.write_table(pyarrow.table({"a": pyarrow.array([], pyarrow.float64())}), file)
    assert invoke(run.folder, file).output == "row,y,y=0,y=1\n"


def test_rows_to_evaluate_cannot_be_none(tmp_path: Path) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    (tmp_path / "none.csv").write_text("a,b,place,kind\n")
    with pytest.raises(SpecError, match=r"none\.csv has no rows after its first line"):
        NewLabelledRows(run, source_of(run, tmp_path / "none.csv"))


@pytest.mark.parametrize("skip_bad", [False, True])
def test_an_error_of_reading_is_told_of_the_file_that_is_read(
    skip_bad: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")

    def fail(*_given: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(NewRows, "_taken", fail)
        rows = NewRows(run, source_of(run, tmp_path / "rows.csv"), skip_bad=skip_bad)
        with (
            pytest.raises(RunError, match=r"rows\.csv cannot be read: Input/output error"),
            writer(tmp_path / "out.csv") as write,
        ):
            for block in predict(run, rows):
                write.add(block)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_of_writing_is_told_of_the_file_that_is_written(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(tmp_path, "kind", "$classes", "cross_entropy")
    own = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *a: own(Path("/dev/full") if path.suffix == ".part" else path, *a))
    blocks = list(predict(run, NewRows(run, source_of(run, tmp_path / "rows.csv"))))
    with (
        pytest.raises(RunError, match=rf"cannot write .*out\{ending}: No space left on device"),
        writer(tmp_path / f"out{ending}") as write,
    ):
        for block in blocks:
            write.add(block)
    assert not (tmp_path / f"out{ending}").exists()
