"""The baselines of a run are runs below it in MLflow: each once, with what baselines.json has of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from run_folders import STARTED, StoredRun, epochs, make_run, stored

from dlrun.runs.baselines import NAME, BaselineResult, Comparison, write_comparison
from dlrun.runs.info import RunInfo
from dlrun.tracking.delivery import Delivery
from dlrun.tracking.delivery_state import recall
from dlrun.tracking.mlflow_run import MlflowRun
from dlrun.tracking.store import sqlite_uri

RESULTS = (
    BaselineResult(
        "mean",
        {"baseline": "mean", "seconds": "10.0", "rows": "90"},
        STARTED + 11_000,
        STARTED + 11_500,
        {"validation/loss": 0.5, "test/loss": 0.75, "test/r2": math.nan},
    ),
    BaselineResult(
        "affine_mmse",
        {"baseline": "affine_mmse", "seconds": "10.0", "rows": "90"},
        STARTED + 11_501,
        STARTED + 12_000,
        {"train/mmse": 0.25, "test/loss": 0.3},
        remark="beware",
    ),
    BaselineResult(
        "gradient_boosting",
        {"baseline": "gradient_boosting", "seconds": "10.0", "rows": "90"},
        STARTED + 12_001,
        STARTED + 22_000,
        trouble="not done after 10 s",
    ),
)
WHOLE = Comparison("test", 30, {"loss": 0.2}, RESULTS, "Worth it", complete=True)


def deliver(runs: Path, info: RunInfo) -> str:
    delivery = Delivery(info.folder, sqlite_uri(runs / "mlflow.db"))
    delivery.finish("FINISHED", STARTED + 10_000)
    return delivery.report()


def client(runs: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=sqlite_uri(runs / "mlflow.db"))


def expected(result: BaselineResult) -> tuple[object, ...]:
    metrics = sorted(
        (name, 0, result.ended, 0.0 if math.isnan(value) else value, int(math.isnan(value)))
        for name, value in result.metrics.items()
    )
    status = "FAILED" if result.trouble else "FINISHED"
    return result.name, status, result.started, result.ended, metrics, result.settings


def shown(run: StoredRun) -> tuple[object, ...]:
    return run.name, run.status, run.started, run.ended, run.metrics, run.params


def hold(runs: Path, results: tuple[BaselineResult, ...]) -> None:
    """The store has the run, and below it the results, and nothing else."""
    own, *others = sorted(stored(runs / "mlflow.db"), key=lambda run: run.started)
    assert own.name == "calm-otter"
    assert [shown(run) for run in others] == [expected(result) for result in results]
    assert all(client(runs).get_run(run.id).data.tags["mlflow.parentRunId"] == own.id for run in others)


def test_each_baseline_is_a_run_below_the_run_however_often_it_is_delivered(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    write_comparison(info.folder, WHOLE)
    for _ in range(3):
        assert deliver(runs, info) == ""
        hold(runs, RESULTS)
    own, first, second, third = (
        client(runs).get_run(run.id).data.tags
        for run in sorted(stored(runs / "mlflow.db"), key=lambda run: run.started)
    )
    assert own["baselines.verdict"] == "Worth it"
    assert "mlflow.parentRunId" not in own
    assert (first["baseline.name"], second["baseline.remark"]) == ("mean", "beware")
    assert third["baseline.trouble"] == "not done after 10 s"


def test_baselines_that_a_resume_computes_are_added_to_those_that_are_there(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    for count in (0, 1, 3):
        write_comparison(info.folder, Comparison("test", 30, {"loss": 0.2}, RESULTS[:count], complete=count == 3))
        assert deliver(runs, info) == ""
        hold(runs, RESULTS[:count])


def test_a_delivery_that_ends_anywhere_is_continued_by_the_next(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    write_comparison(info.folder, WHOLE)
    for method in ("open", "log", "terminate"):
        for stop in (1, 2, 3):
            calls: list[str] = []
            own = getattr(MlflowRun, method)

            def broken(run: MlflowRun, *rest: object, own=own, calls=calls, stop=stop, **named: object) -> object:
                calls.append(run.info.name)
                if len(calls) >= stop:
                    raise ConnectionError("Connection refused")
                return own(run, *rest, **named)

            with monkeypatch.context() as patch:
                patch.setattr("dlrun.tracking.delivery.PAUSE", 0)
                patch.setattr(MlflowRun, method, broken)
                assert "Connection" in deliver(runs, info)
            state = recall(info.folder, sqlite_uri(runs / "mlflow.db"))
            assert state is not None and not state.complete
    assert deliver(runs, info) == ""
    hold(runs, RESULTS)


def test_damaged_results_are_reported_and_the_rest_arrives(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    write_comparison(info.folder, WHOLE)
    file = info.folder / NAME
    file.write_bytes(file.read_bytes().replace(b"0.75", b"0.76"))
    missing = deliver(runs, info)
    assert "lacks the baselines" in missing and "its checksum does not match" in missing
    (own,) = stored(runs / "mlflow.db")
    assert own.status == "FINISHED"


def test_baselines_follow_their_run_into_an_experiment_of_another_name(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    assert deliver(runs, info) == ""
    mlflow = client(runs)
    (experiment,) = mlflow.search_experiments(filter_string="name = 'digits'")
    mlflow.rename_experiment(experiment.experiment_id, "renamed")
    write_comparison(info.folder, WHOLE)
    assert deliver(runs, info) == ""
    assert len(stored(runs / "mlflow.db", "renamed")) == 4
    assert stored(runs / "mlflow.db", "digits") == []


def test_the_view_of_an_experiment_shows_no_settings_of_baselines(runs: Path) -> None:
    from dlrun.tracking.mlflow_view import TAG

    info = make_run(runs / "calm-otter", epochs(3))
    write_comparison(info.folder, WHOLE)
    assert deliver(runs, info) == ""
    (experiment,) = client(runs).search_experiments(filter_string="name = 'digits'")
    assert "params.`baseline`" not in experiment.tags[TAG]
