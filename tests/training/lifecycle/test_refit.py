"""A refit is the run that one would make by hand, and goes on where it was interrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import networks
import pytest
import torch
from whole_runs import (
    KILLED,
    TRAIN,
    Program,
    Result,
    differences,
    result_of,
    spread,
    status_of,
    the_run,
    write_digits,
)

import dlrun
from dlrun.errors import RunError, SpecError
from dlrun.network.files import load_network
from dlrun.runs.find import find_run
from dlrun.runs.journal import read_journal
from dlrun.runs.run_json import read_run
from dlrun.runs.summary import summary_of
from dlrun.training.lifecycle.refit import best_step

REFIT = (
    "train.early_stopping={patience: 1, then: refit}",
    "schedule=constant",
    "train.epochs=6",
    "optimizer.adamw.lr=0.1",
)
KILL = """
import os, signal, dlrun.training.lifecycle.checkpointing as k
keep = k.CheckpointPolicy.after_step
def keeping(self, training):
    keep(self, training)
    if training.state.step == {step} and ("refit" in str(self.checkpoints.folder)) == {in_refit}:
        os.kill(os.getpid(), signal.SIG{signal})
k.CheckpointPolicy.after_step = keeping
"""


def search_in(runs: Path) -> Path:
    folder = the_run(runs)
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def whole(program: Program) -> Path:
    """The run with a refit that nobody touched."""
    runs = program.folder / "refits"
    done = program(*TRAIN, runs, *REFIT)
    assert done.code == 0, done.said
    return search_in(runs)


def parts(search: Path) -> list[Result]:
    return [result_of(search), result_of(search / "refit")]


def test_it_is_bit_equal_to_the_run_made_by_hand(program: Program, whole: Path, runs: Path) -> None:
    epochs = [record for record in read_journal(whole / "metrics.jsonl") if "validation/loss" in record.metrics]
    best = min(epochs, key=lambda record: record.metrics["validation/loss"])
    assert best.epoch < len(epochs) < 6  # it was stopped early
    assert best_step(whole) == best.step
    by_hand = ("data.split.train_on_validation=true", "train.early_stopping=null", "train.epochs=null")
    done = program(*TRAIN, runs, *REFIT, *by_hand, f"train.steps={best.step}")
    assert done.code == 0, done.said
    assert not differences(result_of(whole / "refit"), result_of(search_in(runs)))
    records = read_journal(whole / "refit" / "metrics.jsonl")
    assert records[-1].step == best.step
    assert not any(name.startswith("validation/") for record in records for name in record.metrics)


def test_its_rows_are_those_for_training_and_for_validation_and_all_is_fitted_on_them(whole: Path) -> None:
    before, after = (read_run(place).info for place in (whole, whole / "refit"))
    for label, (train, validation, test) in before.classes["target"].items():
        assert after.classes["target"][label] == [train + validation, 0, test]
    fitted = [(place / "preprocess.safetensors").read_bytes() for place in (whole, whole / "refit")]
    assert fitted[0] != fitted[1]


def test_its_weights_are_those_of_its_last_step(whole: Path) -> None:
    place = whole / "refit"
    assert (place / "best.safetensors").read_bytes() == (place / "last.safetensors").read_bytes()
    assert json.loads((place / "run.json").read_text())["test_of"].endswith(" (last)")


def test_it_is_a_run_below_the_other_and_the_other_is_the_last_run(whole: Path) -> None:
    one, other = read_run(whole), read_run(whole / "refit")
    assert (one.info.parent, other.info.parent) == (None, whole.resolve())
    assert other.info.name == f"{one.info.name} refit"
    assert find_run("last", whole.parent) == whole
    assert one.status == other.status == "FINISHED"


def test_its_figures_are_those_of_the_search_and_its_test_that_of_the_refit(whole: Path) -> None:
    epochs, refitted = read_journal(whole / "metrics.jsonl"), read_run(whole / "refit")
    found = summary_of(whole)
    assert found.metrics["validation/loss"] == min(one.metrics.get("validation/loss", 9.0) for one in epochs)
    assert found.metrics["test/loss"] == refitted.test["loss"]
    assert refitted.test["loss"] != read_run(whole).test["loss"]
    assert (found.status, found.info.folder) == ("FINISHED", find_run("best:test/loss", whole.parent))
    assert find_run("last/refit", whole.parent) == whole / "refit"


def test_who_takes_the_network_of_the_run_takes_that_of_the_refit(program: Program, whole: Path) -> None:
    ours, theirs = load_network(whole).state_dict(), load_network(whole / "refit").state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    checked = dlrun.check(program.folder / "spec.yaml", f"model.weights={whole}")
    start = checked.experiment.need("model").start
    assert start is not None and Path(start.source) == whole / "refit" / "best.safetensors"


@pytest.mark.parametrize(
    ("step", "in_refit", "signal"), [(3, False, "KILL"), (3, True, "KILL"), (5, True, "INT"), (1, True, "KILL")]
)
def test_an_interrupted_one_goes_on_and_the_search_is_not_trained_again(
    program: Program, whole: Path, runs: Path, step: int, in_refit: bool, signal: str
) -> None:
    done = program(*TRAIN, runs, *REFIT, before=KILL.format(step=step, in_refit=in_refit, signal=signal))
    assert done.code == (KILLED if signal == "KILL" else 130), done.said
    search = search_in(runs)
    stopped = search / "refit" if in_refit else search
    assert status_of(stopped) == "KILLED"
    assert signal == "KILL" or f"`dlrun resume {stopped}` resumes it" in done.said
    if in_refit:
        with pytest.raises(RunError, match=f"the refit of {search} is not complete; `dlrun resume {search}` completes"):
            load_network(search)
        with pytest.raises(SpecError, match=f"the refit of {search} is not complete"):
            dlrun.check(program.folder / "spec.yaml", f"model.weights={search}")
    done = program("resume", search)
    assert done.code == 0, done.said
    assert [differences(*pair) for pair in zip(parts(search), parts(whole), strict=True)] == [[], []]
    assert f"{search.name} is complete" in program("resume", search).said


def test_a_kill_at_any_durable_operation_loses_nothing(program: Program, whole: Path, runs: Path) -> None:
    calls = program(*TRAIN, runs / "counted", *REFIT).calls
    for number in spread(len(calls), 12)[1:-1]:
        own = runs / str(number)
        assert program(*TRAIN, own, *REFIT, mode="kill", at=number).code == KILLED
        done = program("resume", "last", "--runs", own)
        assert done.code == 0, done.said
        found = parts(search_in(own))
        assert [differences(*pair) for pair in zip(found, parts(whole), strict=True)] == [[], []], number
        shutil.rmtree(own)


def test_a_run_whose_refit_has_begun_cannot_be_longer(program: Program, whole: Path) -> None:
    done = program("resume", whole, "train.epochs=12")
    assert done.code == 2
    assert "was trained for as long as was best, so the run cannot be longer" in done.said.replace("\n", " ")


def test_other_data_than_in_the_search_is_refused(program: Program, runs: Path) -> None:
    kill = KILL.format(step=1, in_refit=True, signal="KILL")
    assert program(*TRAIN, runs, *REFIT, before=kill).code == KILLED
    search = search_in(runs)
    shutil.rmtree(search / "refit")
    try:
        write_digits(program.folder / "digits.csv", change=1.0)
        done = program("resume", search)
        assert done.code == 2 and f"the data is not what {search.name} was trained on" in done.said, done.said
        assert not (search / "refit").exists()
    finally:
        write_digits(program.folder / "digits.csv")


SPEC = """
data: {source: {csv: digits.csv}, target: digit, split: {validation: 0.2, test: 0.2}, preprocess: [standardize]}
model: {layers: [linear: $classes]}
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 0.1}}
train: {epochs: 4, device: cpu, early_stopping: {patience: 1, then: refit}}
tracking: off
"""


def test_from_python_the_outcome_is_that_of_the_refit_and_the_baselines_are_beside_it(tmp_path: Path) -> None:
    write_digits(tmp_path / "digits.csv")
    (tmp_path / "spec.yaml").write_text(SPEC)
    outcome = dlrun.train(tmp_path / "spec.yaml", "baselines=[majority]", runs=tmp_path / "runs")
    search = search_in(tmp_path / "runs")
    assert outcome.folder == search / "refit"
    assert outcome.test == read_run(search / "refit").test != read_run(search).test
    assert outcome.comparison is not None and not (search / "baselines.json").exists()


def test_without_validation_rows_the_last_epoch_is_the_best(tmp_path: Path) -> None:
    write_digits(tmp_path / "digits.csv")
    own = ("data.split.validation=0", "train.early_stopping=null", "optimizer.adam.lr=20", "train.epochs=6")
    done = networks.train(tmp_path, SPEC, *own)
    losses = [epoch["train/loss"] for epoch in done.epochs]
    assert min(losses) < losses[-1]  # so that of the training rows does not decide
    assert done.state.best_epoch == 6
