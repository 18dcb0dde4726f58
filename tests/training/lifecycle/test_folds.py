"""Several folds in one run: each is the run that it would be alone, and an interrupted one goes on where it was."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws
from whole_runs import KILLED, TRAIN, Program, differences, result_of, status_of, the_run

from dlrun.errors import SpecError
from dlrun.network.files import load_network
from dlrun.runs.find import find_run
from dlrun.runs.folder import JOURNAL, folds_of
from dlrun.runs.journal import read_journal
from dlrun.runs.run_json import read_run
from dlrun.runs.summary import summary_of
from dlrun.training.lifecycle.folds import STD, figures_of, summary

FOLDS = "data.split={folds: 3, stratify: true, validation: 0.2}"
SHORT = ("train.epochs=2", "train.early_stopping=null", "train.checkpoint.every=3 steps")
KILL = """
import os, signal, dlrun.training.lifecycle.checkpointing as k
keep = k.CheckpointPolicy.after_step
def keeping(self, training):
    keep(self, training)
    if training.state.step == {step} and "fold-{fold}" in str(self.checkpoints.folder):
        os.kill(os.getpid(), signal.SIG{signal})
k.CheckpointPolicy.after_step = keeping
"""
"""A signal once a step of a fold is done."""


def the_folds(runs: Path) -> Path:
    folder = the_run(runs)
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def whole(program: Program) -> Path:
    """The run of three folds that nobody touched."""
    runs = program.folder / "folds"
    done = program(*TRAIN, runs, FOLDS, *SHORT)
    assert done.code == 0, done.said
    return the_folds(runs)


def test_each_fold_is_bit_equal_to_a_run_of_that_fold_alone(program: Program, whole: Path, runs: Path) -> None:
    for number, place in enumerate(folds_of(whole), 1):
        own = runs / str(number)
        done = program(*TRAIN, own, FOLDS, *SHORT, f"data.split.fold={number}")
        assert done.code == 0, done.said
        alone = the_folds(own)
        assert not differences(result_of(place), result_of(alone))
        for name in ("resolved.yaml", "spec.yaml", "preprocess.safetensors", "columns.json"):
            assert (place / name).read_bytes() == (alone / name).read_bytes()
        one, other = read_run(place).info, read_run(alone).info
        assert (one.params, one.classes) == (other.params, other.classes)
        assert one.tags["split.hash"] == other.tags["split.hash"]
        assert (one.parent, other.parent) == (whole.resolve(), None)


def test_the_figures_of_all_folds_are_the_means_of_theirs(whole: Path) -> None:
    parts = [summary_of(place) for place in folds_of(whole)]
    for part in parts:
        losses = [
            record.metrics.get("validation/loss", math.inf) for record in read_journal(part.info.folder / JOURNAL)
        ]
        assert part.metrics["validation/loss"] == min(losses)
        assert part.best_epoch == losses.index(min(losses)) + 1
    found = summary_of(whole)
    assert found.best_epoch is None
    for name in ("validation/loss", "test/loss", "test/accuracy"):
        assert found.metrics[name] == pytest.approx(np.mean([part.metrics[name] for part in parts]), rel=1e-12)
    assert find_run("best:validation/loss", whole.parent) == whole
    assert find_run("last/fold-2", whole.parent) == whole / "fold-2"


def test_everything_is_fitted_anew_in_each_fold(whole: Path) -> None:
    fitted = {(place / "preprocess.safetensors").read_bytes() for place in folds_of(whole)}
    assert len(fitted) == 3
    assert (
        sum(sum(rows[2] for rows in read_run(place).info.classes["target"].values()) for place in folds_of(whole))
        == 240
    )


def test_the_parent_has_the_mean_and_the_standard_deviation_of_the_folds(
    program: Program, whole: Path, runs: Path
) -> None:
    (record,) = read_journal(whole / "metrics.jsonl")
    tests = figures_of(whole)
    assert len(tests) == 3
    for name in ("loss", "accuracy", "f1", "roc_auc"):
        values = [test[name] for test in tests]
        assert record.metrics[f"test/{name}"] == pytest.approx(np.mean(values), rel=1e-12)
        assert record.metrics[f"test/{name}{STD}"] == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    told = json.loads((whole / "run.json").read_text())
    assert (told["status"], told["test"]["loss"]) == ("FINISHED", record.metrics["test/loss"])
    assert "split.hash" not in told["tags"] and told["params"]["data.split.folds"] == "3"
    with pytest.raises(SpecError, match=r"each has a network of its own\n  `load_network\('.*/fold-1'\)` loads that"):
        load_network(whole)
    assert load_network(whole / "fold-1").training is False


@pytest.mark.parametrize(("fold", "step", "signal"), [(2, 4, "KILL"), (1, 5, "INT"), (3, 1, "KILL")])
def test_an_interrupted_fold_goes_on_and_the_finished_ones_are_not_trained_again(
    program: Program, whole: Path, runs: Path, fold: int, step: int, signal: str
) -> None:
    before = KILL.format(step=step, fold=fold, signal=signal)
    done = program(*TRAIN, runs, FOLDS, *SHORT, before=before)
    folder = the_folds(runs)
    assert done.code == (KILLED if signal == "KILL" else 130), done.said
    assert signal == "KILL" or f"`dlrun resume {folder}` resumes it" in done.said
    assert status_of(folder) == status_of(folder / f"fold-{fold}") == "KILLED"
    finished = {
        path: path.stat().st_mtime_ns for number in range(1, fold) for path in (folder / f"fold-{number}").iterdir()
    }
    assert [place.name for place in folds_of(folder)] == [f"fold-{number}" for number in range(1, fold + 1)]

    done = program("resume", folder)
    assert done.code == 0, done.said
    assert [f"fold {number} of 3 is complete" in done.said for number in (1, 2, 3)] == [n < fold for n in (1, 2, 3)]
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    for number in (1, 2, 3):
        assert not differences(result_of(folder / f"fold-{number}"), result_of(whole / f"fold-{number}"))
    assert figures_of(folder) == figures_of(whole)
    assert read_journal(folder / "metrics.jsonl")[0].metrics == read_journal(whole / "metrics.jsonl")[0].metrics
    assert status_of(folder) == "FINISHED"
    assert f"{folder.name} is complete" in program("resume", folder).said


def test_folds_are_trained_longer_and_what_cannot_be_changes_nothing(program: Program, runs: Path) -> None:
    plain = (*SHORT[1:], "schedule=null")
    assert program(*TRAIN, runs / "grown", FOLDS, *plain, "train.epochs=1").code == 0
    assert program(*TRAIN, runs / "long", FOLDS, *plain, "train.epochs=2").code == 0
    grown, long = the_folds(runs / "grown"), the_folds(runs / "long")

    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in grown.rglob("*") if path.is_file() and path.name != "lock"}

    kept = contents()
    done = program("resume", grown, "seed=4")
    assert done.code == 2 and "seed was 3, now 4" in done.said, done.said
    assert contents() == kept
    done = program("resume", grown, "train.epochs=2")
    assert done.code == 0, done.said
    for one, other in zip(folds_of(grown), folds_of(long), strict=True):
        assert (one / "last.safetensors").read_bytes() == (other / "last.safetensors").read_bytes()
    assert figures_of(grown) == figures_of(long)
    done = program("resume", grown, "train.epochs=1")
    assert f"{grown.name} has train.epochs=2, and 1 is less; the number can only grow" in done.said


def test_a_mistake_in_a_fold_is_told_before_the_first_is_trained(program: Program, runs: Path) -> None:
    done = program(*TRAIN, runs, "data.split={folds: 30, stratify: true}", *SHORT)
    assert done.code == 2 and "too few to be in each of 30 folds" in done.said, done.said
    assert the_run(runs) is None


@draws(100)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_the_summary_is_that_of_statistics(values: list[float]) -> None:
    found = summary([{"mae": value} for value in values])
    assert found["mae"] == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-9)
    assert found[f"mae{STD}"] == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-9)


def test_a_metric_that_a_fold_does_not_define_has_no_mean() -> None:
    found = summary([{"r2": 0.5}, {"r2": math.nan}])
    assert math.isnan(found["r2"]) and math.isnan(found[f"r2{STD}"])
