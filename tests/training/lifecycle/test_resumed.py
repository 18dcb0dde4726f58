"""`dlrun resume`: the checkpoints that it resumes from, what it refuses, and its messages."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from whole_runs import (
    AFTER_STEP,
    KILLED,
    TRAIN,
    Program,
    Result,
    differences,
    killed,
    result_of,
    resumed,
    the_run,
    write_digits,
)

from dlrun.runs.lock import lock
from dlrun.runs.run_json import read_run


def finished(program: Program, runs: Path, *overrides: str) -> Result:
    """What a run leaves that was left alone."""
    done = program(*TRAIN, runs, *overrides)
    folder = the_run(runs)
    assert done.code == 0 and folder is not None, done.said
    return result_of(folder)


def refused(program: Program, folder: Path, *overrides: str, code: int = 2) -> str:
    """Why a resume is refused; the folder stays as it is."""
    before = contents(folder)
    done = program("resume", folder, *overrides)
    assert done.code == code, done.said
    assert done.said.count("error: ") == 1 and "Traceback" not in done.said, done.said
    assert contents(folder) == before
    return done.said


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("step", "every"), [(18, "6 steps"), (18, "1 step"), (12, "1 epoch"), (17, "1 step"), (11, "10 minutes")]
)
def test_a_kill_around_the_end_of_an_epoch_loses_nothing(
    program: Program, alone: Result, runs: Path, every: str, step: int
) -> None:
    killed(program, runs, step, f"train.checkpoint.every={every}")
    assert resumed(program, runs, alone)


@pytest.mark.parametrize("step", [6, 12, 18])
def test_a_kill_between_the_end_of_an_epoch_and_its_metrics_loses_nothing(
    program: Program, alone: Result, runs: Path, step: int
) -> None:
    killed(program, runs, step, "train.checkpoint.every=3 steps")
    assert f"resumes after step {step}, in epoch {step // 6}" in resumed(program, runs, alone)


RICH = """
name: rich
seed: 5
data:
  source: {csv: digits.csv}
  features: {left: [p10, p11, p12, p13, p18, p19, p20, p21], right: [p26, p27, p28, p29, p34, p35, p36, p37]}
  target: {kind: digit, size: [p42, p43]}
  split: {validation: 0.2, test: 0.2}
  preprocess: [{standardize: {input: left}}, {pca: {input: right, n_components: 3}}]
model:
  inputs: {left: [8], right: [3]}
  outputs: [kind, size]
  layers:
    - concat: [[], right]
    - linear: {name: trunk, out_features: 16}
    - layer_norm
    - relu
    - dropout: 0.2
    - linear: {name: kind, out_features: 10}
    - input: trunk
    - linear: {name: size, out_features: 2}
loss:
  - cross_entropy: {output: kind}
  - mse: {output: size, coefficient: 0.125}
metrics: [{roc_auc: {output: kind}}, {f1: {output: kind}}, {r2: {output: size}}, {mae: {output: size}}]
regularizers: [l2: 1e-3, l1: 1e-5]
optimizer: {sgd: {lr: 0.05, momentum: 0.9, nesterov: true}}
schedule: {step: {step_size: 5 steps, gamma: 0.5}}
train: {epochs: 3, batch_size: 13, clip_grad_norm: 0.5, device: cpu, checkpoint: {every: 1 step}}
tracking: off
"""
"""Several inputs, outputs, losses, penalties, and metrics that need all rows of an epoch at once."""


def test_partial_sums_of_several_losses_penalties_and_metrics_go_on_exactly(program: Program, runs: Path) -> None:
    (program.folder / "rich.yaml").write_text(RICH)
    train = ("train", "rich.yaml", "--runs")
    done = program(*train, runs / "alone")
    assert done.code == 0, done.said
    folder = the_run(runs / "alone")
    assert folder is not None
    wanted = result_of(folder)
    assert {"train/kind/cross_entropy", "train/size/mse", "train/penalty"} <= set(wanted.journal[0][2]), wanted.journal[
        0
    ]
    for step in (1, 7, 12, 19, 35):
        own = runs / str(step)
        assert program(*train, own, before=AFTER_STEP.format(step=step, method="after_step")).code == KILLED
        assert f"resumes after step {step}," in resumed(program, own, wanted)


def test_a_damaged_checkpoint_is_skipped_with_a_note_and_the_one_before_is_used(
    program: Program, alone: Result, runs: Path
) -> None:
    folder = killed(program, runs, 16)
    file = folder / "checkpoints" / "step-000000016" / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[-5] ^= 4
    file.write_bytes(data)
    done = program("resume", folder)
    assert done.code == 0, done.said
    assert "note: skipped a damaged checkpoint: step-000000016: weights.safetensors is damaged" in done.said
    assert "resumes after step 12, in epoch 2" in done.said
    assert not differences(result_of(folder), alone)


def test_when_all_checkpoints_are_damaged_nothing_starts_from_zero(program: Program, runs: Path) -> None:
    folder = killed(program, runs, 16)
    for place in (folder / "checkpoints").iterdir():
        os.truncate(place / "state.json", 10)
    said = refused(program, folder, code=1)
    assert "no checkpoint in" in said
    assert "step-000000016: state.json has 10 bytes" in said and "step-000000012: state.json has 10 bytes" in said


def test_another_spec_is_refused_with_what_differs(program: Program, alone: Result, runs: Path) -> None:
    folder = killed(program, runs, 9)
    said = refused(program, folder, "optimizer.adamw.lr=0.5", "seed=4")
    assert "optimizer.lr was 0.02, now 0.5" in said and "seed was 3, now 4" in said
    resolved = folder / "resolved.yaml"
    text = resolved.read_text()
    resolved.write_text(text.replace("p: 0.3", "p: 0.4"))
    assert "model.layers.5.p was 0.3, now 0.4" in refused(program, folder)
    resolved.write_text(text)
    assert resumed(program, runs, alone)


def test_other_data_is_refused(program: Program, alone: Result, runs: Path) -> None:
    folder = killed(program, runs, 9)
    write_digits(program.folder / "digits.csv", change=1.0)
    try:
        said = refused(program, folder)
    finally:
        write_digits(program.folder / "digits.csv")
    assert f"the data is not what {folder.name} started with" in said
    assert resumed(program, runs, alone)


def test_a_run_with_a_file_of_test_rows_is_resumed(program: Program, runs: Path) -> None:
    lines = (program.folder / "digits.csv").read_text().splitlines()
    (program.folder / "rest.csv").write_text("\n".join([lines[0], *lines[-40:]]))
    changes = ("data.source.csv.test=rest.csv", "data.split.test=null")
    folder = killed(program, runs, 12, *changes)
    done = program("resume", folder)
    assert done.code == 0, done.said


def test_a_run_whose_data_has_moved_is_resumed(program: Program, alone: Result, runs: Path) -> None:
    folder = killed(program, runs, 9)
    elsewhere = shutil.copy(program.folder / "digits.csv", runs.parent / "moved.csv")
    done = program("resume", folder, f"data.source.csv.path={elsewhere}")
    assert done.code == 0, done.said
    assert not differences(result_of(folder), alone)


def test_a_complete_run_is_told_as_such_as_often_as_it_is_resumed(program: Program, runs: Path) -> None:
    finished(program, runs)
    folder = the_run(runs)
    assert folder is not None
    before = contents(folder)
    longer = "; `train.epochs=6` trains it longer"
    for overrides in ((), (), ("train.epochs=3",)):
        done = program("resume", folder, *overrides)
        assert done.code == 0, done.said
        assert f"{folder.name} is complete, after epoch 3{longer}\n" in done.said
        assert f"{folder.name}: has no tracker\n" in done.said
        assert contents(folder) == before


def test_a_complete_run_is_resumed_though_its_data_and_its_checkpoints_are_gone(program: Program, runs: Path) -> None:
    data = shutil.copy(program.folder / "digits.csv", runs.parent / "own.csv")
    finished(program, runs, f"data.source={{csv: {data}}}")
    folder = the_run(runs)
    assert folder is not None
    shutil.rmtree(folder / "checkpoints")
    Path(data).unlink()
    assert program("resume", folder).code == 0


def test_a_run_that_stopped_early_is_complete_for_any_number_of_epochs(program: Program, runs: Path) -> None:
    finished(program, runs, "train.early_stopping={monitor: validation/loss, patience: 1, min_delta: 1000}")
    folder = the_run(runs)
    assert folder is not None
    for overrides in ((), ("train.epochs=50",)):
        done = program("resume", folder, *overrides)
        assert done.code == 0 and f"{folder.name} is complete, after epoch 2\n" in done.said, done.said


def test_a_shorter_training_is_refused(program: Program, runs: Path) -> None:
    folder = killed(program, runs, 9)
    assert "has 18 steps in all, and 12 are fewer" in refused(program, folder, "train.epochs=2")


@pytest.mark.parametrize("start", ["killed", "finished"])
def test_an_extended_training_equals_one_of_that_length(program: Program, runs: Path, start: str) -> None:
    steady = "schedule=null"
    wanted = finished(program, runs / "long", steady, "train.epochs=5")
    if start == "killed":
        folder = killed(program, runs / "own", 9, steady)
    else:
        finished(program, runs / "own", steady)
        folder = the_run(runs / "own")
        assert folder is not None
    done = program("resume", folder, "train.epochs=5")
    assert done.code == 0 and "not what it was" not in done.said, done.said
    found = result_of(folder)
    # The test of the shorter run stays in the journal, where it was.
    tests = [line for line in found.journal if line[0] == 3 and "test/loss" in line[2]]
    assert len(tests) == (start == "finished")
    assert not differences(replace(found, journal=[line for line in found.journal if line not in tests]), wanted)
    assert "epochs: 5" in (folder / "resolved.yaml").read_text()


def test_a_training_that_ended_inside_an_epoch_is_not_extended(program: Program, runs: Path) -> None:
    finished(program, runs, "train.epochs=null", "train.steps=8")
    folder = the_run(runs)
    assert folder is not None
    assert "ended inside an epoch, after step 8" in refused(program, folder, "train.steps=18")
    done = program("resume", folder)
    assert done.code == 0 and f"{folder.name} is complete, after epoch 2\n" in done.said, done.said


def test_another_machine_is_reported(program: Program, alone: Result, runs: Path) -> None:
    folder = killed(program, runs, 9)
    before = "import torch\ntorch.backends.cpu.get_cpu_capability = lambda: 'ANOTHER'"
    done = program("resume", folder, before=before)
    assert done.code == 0, done.said
    assert (
        "note: started on another machine (cpu " in done.said and "now ANOTHER): the last bits may differ" in done.said
    )


def test_a_run_that_is_being_trained_is_not_resumed(program: Program, alone: Result, runs: Path) -> None:
    folder = killed(program, runs, 9)
    with lock(folder):
        assert f"{folder.name} is being trained by process {os.getpid()}" in refused(program, folder, code=1)
    assert resumed(program, runs, alone)


def weights_to_start_from(program: Program, runs: Path) -> Path:
    finished(program, runs / "first", "seed=9")
    folder = the_run(runs / "first")
    assert folder is not None
    return Path(shutil.copy(folder / "best.safetensors", runs / "start.safetensors"))


def test_the_file_that_the_weights_started_from_is_not_needed_once_there_is_a_checkpoint(
    program: Program, runs: Path
) -> None:
    file = weights_to_start_from(program, runs)
    wanted = finished(program, runs / "alone", f"model.weights={file}")
    folder = killed(program, runs / "own", 9, f"model.weights={file}")
    file.unlink()
    done = program("resume", folder)
    assert done.code == 0, done.said
    assert not differences(result_of(folder), wanted)


def test_another_file_to_start_from_is_refused_where_there_is_no_checkpoint(program: Program, runs: Path) -> None:
    file = weights_to_start_from(program, runs)
    wanted = finished(program, runs / "alone", f"model.weights={file}")
    folder = killed(program, runs / "own", 7, f"model.weights={file}", "train.checkpoint.every=1 hour")
    start = file.read_bytes()
    shutil.copy(runs / "alone" / the_run(runs / "alone") / "last.safetensors", file)  # type: ignore[operator]
    said = refused(program, folder)
    assert f"the file in `model.weights` is not the one that {folder.name} started from" in said
    file.unlink()
    assert "cannot read" in refused(program, folder)
    file.write_bytes(start)
    assert program("resume", folder).code == 0
    assert result_of(folder).last == wanted.last


def test_a_copy_that_is_resumed_is_a_run_of_its_own_and_a_moved_run_is_not(program: Program, runs: Path) -> None:
    folder = killed(program, runs, 9)
    began = read_run(folder).info
    shutil.copytree(folder, runs / "copy")
    assert program("resume", runs / "copy").code == 0
    copy = read_run(runs / "copy").info
    assert (copy.name, copy.tags["run.folder"]) == ("copy", str(runs / "copy"))
    assert program("resume", folder).code == 0
    folder.rename(runs / "moved")
    assert program("resume", runs / "moved", "schedule=null").code == 2
    assert read_run(runs / "moved").info.tags["run.folder"] == began.tags["run.folder"]
