"""`dlrun reproduce`: a run is trained again as it was, as far as it went, and what differs is told."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.commands.train.reproduce import reproduce
from dlrun.errors import RunError, SpecError
from dlrun.runs.journal import as_line, read_journal
from dlrun.runs.run_json import read_run

Screen = pytest.CaptureFixture[str]
SPEC = """
name: points
data: {source: {csv: points.csv}, target: side, split: {validation: 0.2, test: 0.2}, preprocess: [standardize]}
model: {layers: [linear: 4, relu, dropout: 0.2, linear: $classes]}
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 0.02}}
train: {epochs: 4, batch_size: 8}
baselines: [majority]
tracking: off
"""
WHOLE = "the test, the best and the last weights"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    points = torch.rand(60, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64).tolist()
    lines = [f"{x},{y},{'above' if y > x else 'below'}" for x, y in points]
    (tmp_path / "points.csv").write_text("\n".join(["x,y,side", *lines]))
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    return file


def trained(spec: Path, *overrides: str) -> Path:
    """The folder of a run by its command line, which may fail."""
    runs = spec.parent / "runs"
    known = {path.name for path in runs.glob("*")}
    CliRunner().invoke(app, ["train", str(spec), *overrides, "--runs", str(runs)])
    (folder,) = (path for path in runs.iterdir() if path.name not in known)
    return folder


def again(folder: Path, capsys: Screen, *moved: str) -> tuple[int, str, str]:
    """The exit code, what is printed, and the notes."""
    code = 0
    try:
        reproduce(str(folder), list(moved))
    except typer.Exit as end:
        code = end.exit_code
    out, err = capsys.readouterr()
    return code, out, err


def as_json(folder: Path, capsys: Screen) -> dict[str, Any]:
    try:
        reproduce(str(folder), as_json=True)
    except typer.Exit as end:
        assert end.exit_code == 1
    return json.loads(capsys.readouterr().out)


def newest(spec: Path) -> Path:
    (folder,) = (spec.parent / "runs").glob("points-reproduced-*")
    return folder


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((), [f"4 epochs, {WHOLE}"]),
        (("data.split.test=0",), ["4 epochs, the best and the last weights"]),
        (("train={steps: 11, batch_size: 8}",), [f"3 epochs, {WHOLE}"]),  # the last epoch ends in its middle
        (("train.early_stopping={patience: 1, min_delta: 1.0}",), [f"2 epochs, {WHOLE}"]),
        (("train.average={ema: 0.5}", "seed=5", "train.accumulate=2"), [f"4 epochs, {WHOLE}"]),
    ],
    ids=["plain", "without_test", "steps", "stopped_early", "averaged"],
)
def test_a_run_is_trained_again_to_the_same_bits(
    spec: Path, capsys: Screen, overrides: tuple[str, ...], said: list[str]
) -> None:
    folder = trained(spec, *overrides)
    code, out, err = again(folder, capsys)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"the same bits as {folder.name}: {said[0]}"
    new = newest(spec)
    for name in ("best.safetensors", "last.safetensors"):
        assert (new / name).read_bytes() == (folder / name).read_bytes()
    about = read_run(new).info
    assert (about.name, about.tags["reproduces"]) == (f"{read_run(folder).info.name} reproduced", folder.name)
    assert not (new / "baselines.json").exists()


def test_every_fold_and_every_refit_is_compared(spec: Path, capsys: Screen) -> None:
    folds = trained(spec, "data.split={folds: 3, validation: 0.2}")
    code, out, _ = again(folds, capsys)
    assert code == 0
    assert out.splitlines()[-3:] == [
        f"the same bits as {folds.name}/fold-{number}: 4 epochs, {WHOLE}" for number in (1, 2, 3)
    ]
    new = newest(spec)
    assert read_run(new).info.tags["reproduces"] == folds.name
    assert read_run(new / "fold-2").info.tags["reproduces"] == f"{folds.name}/fold-2"
    code, out, _ = again(folds / "fold-2", capsys)  # a part of a run is one
    assert (code, out.splitlines()[-1]) == (0, f"the same bits as {folds.name}/fold-2: 4 epochs, {WHOLE}")
    refitted = trained(spec, "train.early_stopping={patience: 2, then: refit}")
    code, out, _ = again(refitted, capsys)
    assert code == 0
    assert [line.partition(": ")[0] for line in out.splitlines()[-2:]] == [
        f"the same bits as {refitted.name}",
        f"the same bits as {refitted.name}/refit",
    ]


def stop_in(
    monkeypatch: pytest.MonkeyPatch, part: str, epoch: int, error: type[BaseException] = KeyboardInterrupt
) -> None:
    """Let an error end a run at the first step after an epoch of one of its parts."""
    from dlrun.training.lifecycle.checkpointing import CheckpointPolicy

    after_step = CheckpointPolicy.after_step

    def stop(self: CheckpointPolicy, training: Any) -> None:
        if self.checkpoints.folder.parent.name.startswith(part) and training.state.epoch == epoch:
            raise error
        after_step(self, training)

    monkeypatch.setattr(CheckpointPolicy, "after_step", stop)


@pytest.mark.parametrize(
    ("overrides", "part", "epoch", "compared"),
    [
        ((), "points", 2, {"": 2}),
        (("data.split={folds: 3, validation: 0.2}",), "fold-2", 3, {"fold-1": 4, "fold-2": 3}),
        (("data.split={folds: 3, validation: 0.2}",), "fold-2", 0, {"fold-1": 4}),
        (("train.early_stopping={patience: 9, then: refit}",), "refit", 1, {"": 4, "refit": 1}),
        (("train.early_stopping={patience: 9, then: refit}",), "refit", 0, {"": 4}),
    ],
    ids=["run", "fold", "between_folds", "refit", "before_refit"],
)
def test_a_run_that_was_interrupted_is_trained_again_as_far_as_it_went(
    spec: Path,
    capsys: Screen,
    monkeypatch: pytest.MonkeyPatch,
    overrides: tuple[str, ...],
    part: str,
    epoch: int,
    compared: dict[str, int],
) -> None:
    with monkeypatch.context() as patched:
        stop_in(patched, part, epoch)
        folder = trained(spec, *overrides)
    found = as_json(folder, capsys)
    assert found["same"] is True
    assert {one["part"] or "": one["epochs"] for one in found["parts"]} == compared
    new = newest(spec)
    assert found["again"] == str(new)
    status = read_run(new).status
    assert status == ("FINISHED" if part == "refit" else "KILLED")


def test_a_run_that_failed_is_trained_again_until_the_epoch_before(
    spec: Path, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_in(patched, "points", 3, MemoryError)
        folder = trained(spec)
    assert read_run(folder).status == "FAILED"
    code, out, _ = again(folder, capsys)
    assert (code, out.splitlines()[-1]) == (0, f"the same bits as {folder.name}: 3 epochs, as far as it went")


def test_what_differs_is_said_first_and_where_the_bits_part_at_the_end(spec: Path, capsys: Screen) -> None:
    folder = trained(spec)
    journal = folder / "metrics.jsonl"
    records = read_journal(journal)
    for record in records[2:]:
        for name in record.metrics:
            record.metrics[name] += 0.25 if name.endswith("accuracy") else 0.0
    journal.write_bytes(b"".join(map(as_line, records)))
    content = json.loads((folder / "run.json").read_text())
    content["tags"]["threads"] = "64"
    content["tags"]["run.packages"] = content["tags"]["run.packages"].replace("numpy==", "numpy==0.")
    content["params"]["optimizer.lr"] = "0.03"
    content["params"]["data.source.path"] = "elsewhere.csv"
    (folder / "run.json").write_text(json.dumps(content))
    code, out, err = again(folder, capsys)
    assert code == 1
    numpy = json.loads(newest(spec).joinpath("run.json").read_text())["tags"]["run.packages"]
    version = re.findall("numpy==(.*)", numpy)[0]
    assert err.splitlines() == [
        f"note: not as it was: numpy 0.{version}, now {version}: the last bits may differ; "
        "--in-new-environment trains with the versions of then",
        "note: not as it was: threads 64, now 1: the last bits may differ",
        "note: not as it was: optimizer.lr 0.03, now 0.02: its spec is not the one that it was",
    ]
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert f"the same bits as {folder.name} in 2 epochs; in epoch 3, 2 of 5 metrics differ" in lines
    assert "epoch 3 was differs by relative" in lines
    value = records[2].metrics["validation/accuracy"]
    assert f"validation/accuracy {value:.4f} 0.2500 {0.25 / value:.4f}" in lines
    assert lines[-3].startswith("at the end, in the test: test/accuracy, which was ")
    assert lines[-2:] == ["best weights: the same", "last weights: the same"]
    found = json.loads(CliRunner().invoke(app, ["reproduce", str(folder), "--json"]).stdout)
    assert found["differences"]["threads"] == ["64", "1"]
    (part,) = found["parts"]
    assert (part["epochs"], part["parted"], part["end"], part["most"]) == (2, "epoch 3", "the test", "test/accuracy")
    assert set(part["metrics"]) == {"train/accuracy", "validation/accuracy"}
    assert part["weights"] == {"best": None, "last": None}


def test_other_data_and_another_start_are_one_error_and_no_run(spec: Path, capsys: Screen) -> None:
    start = trained(spec, "name=start")
    weights, data = spec.parent / "start.safetensors", spec.parent / "points.csv"
    shutil.copy(start / "last.safetensors", weights)
    folder = trained(spec, "model.weights=start.safetensors", "data.preprocess=[]")
    assert again(folder, capsys)[0] == 0
    shutil.rmtree(newest(spec))
    text = data.read_text()
    data.write_text(text.replace("0.", "0.1", 1))
    with pytest.raises(SpecError, match=f"the data is not what {folder.name} started with: its SHA-256 was"):
        reproduce(str(folder))
    data.write_text(text)
    shutil.copy(trained(spec, "name=other", "seed=9") / "last.safetensors", weights)
    with pytest.raises(SpecError, match=f"the file in `model.weights` is not the one that {folder.name} started from"):
        reproduce(str(folder))
    assert not list(spec.parent.glob("runs/*reproduced*"))


def test_data_that_has_moved_is_named_and_nothing_else_may_change(spec: Path, capsys: Screen) -> None:
    folder = trained(spec)
    moved = (spec.parent / "points.csv").rename(spec.parent / "moved.csv")
    with pytest.raises(SpecError) as error:
        reproduce(str(folder))
    (problem,) = error.value.problems
    assert problem.hint.startswith("if it has moved: `dlrun reproduce RUN data.source.csv.path=FILE`; looked for ")
    code, out, err = again(folder, capsys, f"data.source.csv.path={moved}")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"the same bits as {folder.name}: 4 epochs, {WHOLE}"
    with pytest.raises(SpecError, match="only where its files are can change, and not seed=3") as error:
        reproduce(str(folder), [f"data.source.csv.path={moved}", "seed=3"])


def test_a_run_without_an_epoch_is_one_error(spec: Path, capsys: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        stop_in(patched, "points", 0)
        folder = trained(spec)
    with pytest.raises(RunError, match="there is nothing to compare with"):
        reproduce(str(folder))


def test_a_run_that_was_trained_longer_is_trained_again_in_one_go(spec: Path, capsys: Screen) -> None:
    folder = dlrun.train(spec, runs=spec.parent / "runs").folder
    assert CliRunner().invoke(app, ["resume", str(folder), "train.epochs=6"]).exit_code == 0
    code, out, err = again(folder, capsys)
    assert (code, out.splitlines()[-1]) == (0, f"the same bits as {folder.name}: 6 epochs, {WHOLE}")
    assert err.startswith(f"note: {folder.name} was trained longer once it was complete, and is trained in one go now")
