"""How a run is named: by its folder, a beginning of its name, `last`, or as the best one by a metric."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from run_folders import STARTED, complete_run, make_run

from dlrun.errors import SpecError
from dlrun.language import start_weights
from dlrun.runs.find import BEST, find_run
from dlrun.runs.folder import write_json
from dlrun.runs.run_json import about

DIRECTIONS = {"loss": False, "accuracy": True}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs of two experiments, one of which is not complete."""
    folder = tmp_path / "runs"
    values = {
        "digits-a": ("digits", 0.5, 0.80),
        "digits-b": ("digits", 0.3, 0.85),
        "digits-nan": ("digits", math.nan, math.nan),
        "wine-a": ("wine", 0.1, 0.90),
        "wine-b": ("wine", 0.2, 0.95),
    }
    for number, (name, (experiment, loss, accuracy)) in enumerate(values.items()):
        complete_run(
            folder / name,
            {"validation/loss": loss, "validation/accuracy": accuracy, "validation/entropy": 0.1, "train/loss": 0.4},
            {"loss": loss, "accuracy": accuracy},
            experiment=experiment,
            greater_is_better=DIRECTIONS,
            started=STARTED + number,
        )
    make_run(folder / "digits-died", status="RUNNING", greater_is_better=DIRECTIONS, started=STARTED + 9)
    return folder


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("digits-b", "digits-b"),
        ("digits-n", "digits-nan"),
        ("last", "digits-died"),
        ("best:validation/loss", "wine-a"),
        ("best:validation/accuracy", "wine-b"),
        ("best:test/accuracy", "wine-b"),
        ("best:validation/loss@digits", "digits-b"),
        ("best:test/accuracy@digits", "digits-b"),
    ],
)
def test_a_run_is_found_by_what_names_it(runs: Path, run: str, name: str) -> None:
    assert find_run(run, runs) == runs / name


def test_a_whole_name_is_that_run_though_others_begin_with_it(runs: Path) -> None:
    make_run(runs / "digits-a-2")
    assert find_run("digits-a", runs) == runs / "digits-a"


def test_a_folder_elsewhere_is_found_by_its_path(runs: Path, tmp_path: Path) -> None:
    assert find_run(str(runs / "wine-a"), tmp_path / "nowhere") == runs / "wine-a"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            "digits",
            "4 runs in RUNS begin with digits: digits-nan, digits-died, digits-b, digits-a\n  write more of the name",
        ),
        ("dogits-a", "there is no run dogits-a in RUNS; did you mean digits-a?"),
        ("", "name a run: its folder, its name, or `last`"),
        ("wine-a/fold-2", "the run wine-a has no fold-2; it is one run, without folds and without a refit"),
        ("best:", "best: names no metric; write it as best:validation/loss@digits"),
        ("best:validation/loss@", "best:validation/loss@ names no experiment; write it as best:validation/loss@digits"),
        ("best:validation/loss@iris", "no run in RUNS is of the experiment iris; there are digits, wine"),
        (
            "best:accuracy",
            "no complete run in RUNS has the metric accuracy; did you mean test/accuracy?\n"
            "  there are test/accuracy, test/loss, validation/accuracy, validation/loss, train/loss",
        ),
        (
            "best:validation/entropy",
            "neither more nor less of validation/entropy is better, so no run is the best by it",
        ),
    ],
)
def test_what_names_no_run_is_one_error(runs: Path, run: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        find_run(run, runs)
    assert str(error.value) == "error: " + message.replace("RUNS", str(runs))


def test_a_long_list_of_runs_is_cut(runs: Path) -> None:
    for number in range(9):
        make_run(runs / f"many-{number}")
    with pytest.raises(SpecError, match=r"9 runs in .* begin with many: many-8, many-7, many-6, many-5 and 5 more"):
        find_run("many", runs)


def test_where_no_run_is_complete_none_is_the_best(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there are no runs in"):
        find_run("best:validation/loss", tmp_path)
    make_run(tmp_path / "a", status="FAILED", greater_is_better=DIRECTIONS)
    with pytest.raises(SpecError, match=r"no run in .* of the experiment digits is complete"):
        find_run("best:validation/loss@digits", tmp_path)
    complete_run(tmp_path / "b", {"validation/loss": math.nan}, {}, greater_is_better=DIRECTIONS)
    with pytest.raises(SpecError, match="validation/loss is not a number in any complete run"):
        find_run("best:validation/loss", tmp_path)


def test_the_parts_of_a_run_are_named_by_it(runs: Path) -> None:
    make_run(runs / "wine-a" / "fold-1")
    make_run(runs / "wine-a" / "fold-2")
    for run in ("wine-a/fold-2", "best:validation/loss/fold-2", f"{runs}/wine-a/fold-2"):
        assert find_run(run, runs) == runs / "wine-a" / "fold-2"
    with pytest.raises(SpecError, match=r"the run wine-a has no fold-3; its parts are fold-1, fold-2"):
        find_run("best:validation/loss/fold-3", runs)


def test_of_a_run_with_a_refit_the_test_is_that_of_the_refit(tmp_path: Path) -> None:
    def search(name: str, loss: float, test: float) -> Path:
        values = {"validation/loss": loss}
        params = {"train.early_stopping.then": "refit"}
        complete_run(tmp_path / name, values, {"loss": test}, params=params, greater_is_better=DIRECTIONS)
        return tmp_path / name

    first, second = search("first", 0.1, 0.1), search("second", 0.2, 0.2)
    with pytest.raises(SpecError, match="is complete, so none is the best"):
        find_run("best:validation/loss", tmp_path)
    for folder, test in ((first, 0.4), (second, 0.3)):
        complete_run(folder / "refit", {"train/loss": 0.0}, {"loss": test}, greater_is_better=DIRECTIONS)
    assert find_run("best:validation/loss", tmp_path) == first
    assert find_run("best:test/loss", tmp_path) == second
    assert find_run("best:test/loss/refit", tmp_path) == second / "refit"
    info = make_run(tmp_path / "third")
    write_json(tmp_path / "third" / "run.json", {**about(info), "status": "RUNNING"})
    assert find_run("best:test/loss", tmp_path) == second


def test_a_spec_and_the_command_line_write_the_best_run_alike() -> None:
    assert start_weights.BEST == BEST
