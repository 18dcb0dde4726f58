"""What a look at a run's folder says of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from places import SPECS
from run_folders import STARTED, complete_run, make_run

import dlrun
from dlrun.errors import RunError
from dlrun.runs.find import summaries
from dlrun.runs.info import Record
from dlrun.runs.lock import lock
from dlrun.runs.summary import summary_of

DIRECTIONS = {"loss": False, "accuracy": True}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def epochs(*values: float) -> list[Record]:
    """An epoch for each validation loss; the accuracy is 1 - loss."""
    return [
        Record(
            number, 10 * number, STARTED + 1000 * number, {"validation/loss": value, "validation/accuracy": 1 - value}
        )
        for number, value in enumerate(values, 1)
    ]


def test_a_trained_run_has_the_metrics_of_its_best_epoch_and_of_its_test(tmp_path: Path) -> None:
    changes = ("tracking=off", "baselines=off", "train.epochs=12", "optimizer={adam: {lr: 0.1}}")
    folder = dlrun.train(SPECS / "wine_mlp.yaml", *changes, runs=tmp_path).folder
    run = dlrun.read_run(folder)
    losses = run.metric("validation/loss")
    best = losses.index(min(losses))
    found = summary_of(folder)
    assert (found.best_epoch, found.status, found.monitor) == (best + 1, "FINISHED", "validation/loss")
    for name in ("validation/loss", "validation/accuracy", "train/loss", "lr"):
        assert found.metrics[name] == run.metric(name)[best]
    assert found.metrics["test/loss"] == run.metric("test/loss")[0]
    assert not [name for name in found.metrics if name.startswith("time/")]
    assert found.info.greater_is_better["loss"] is False
    assert found.info.greater_is_better["accuracy"] is True


def test_a_run_that_died_is_killed_and_the_look_changes_nothing(tmp_path: Path) -> None:
    make_run(tmp_path / "a", epochs(0.5, math.nan, 0.2, 0.4), "RUNNING", greater_is_better=DIRECTIONS)
    before = contents(tmp_path)
    found = summary_of(tmp_path / "a")
    assert (found.status, found.best_epoch, found.metrics["validation/loss"]) == ("KILLED", 3, 0.2)
    assert found.seconds == 4
    assert contents(tmp_path) == before


def test_a_run_that_is_trained_just_now_is_running(tmp_path: Path) -> None:
    make_run(tmp_path / "a", epochs(0.5), "RUNNING")
    with lock(tmp_path / "a"):
        assert summary_of(tmp_path / "a").status == "RUNNING"
    assert summary_of(tmp_path / "a").status == "KILLED"


def test_the_monitored_metric_decides_which_epoch_is_the_best(tmp_path: Path) -> None:
    known = {"greater_is_better": DIRECTIONS, "monitor": "validation/accuracy"}
    records = [
        Record(1, 1, STARTED, {"validation/loss": 0.1, "validation/accuracy": 0.7}),
        Record(2, 2, STARTED, {"validation/loss": 0.2, "validation/accuracy": 0.9}),
        Record(3, 3, STARTED, {"validation/loss": 0.3, "validation/accuracy": 0.9}),
    ]
    make_run(tmp_path / "a", records, "FAILED", **known)
    assert summary_of(tmp_path / "a").best_epoch == 2


def test_without_validation_rows_the_last_epoch_counts(tmp_path: Path) -> None:
    records = [Record(number, number, STARTED, {"train/loss": number}) for number in (1, 2, 3)]
    make_run(tmp_path / "a", [*records, Record(3, 3, STARTED, {"test/loss": 0.5})], "FAILED", monitor="train/loss")
    found = summary_of(tmp_path / "a")
    assert (found.best_epoch, found.metrics) == (3, {"train/loss": 3.0})


def test_a_damaged_run_is_named_beside_the_others(tmp_path: Path) -> None:
    complete_run(tmp_path / "good", {"validation/loss": 0.1}, {"loss": 0.2})
    make_run(tmp_path / "torn", epochs(0.5, 0.4), "FAILED")
    journal = tmp_path / "torn" / "metrics.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"0.5", b"0.6"))
    make_run(tmp_path / "bad")
    (tmp_path / "bad" / "run.json").write_text("{")
    found, damaged = summaries(tmp_path)
    assert [(one.name, one.metrics) for one in found] == [
        ("good", {"validation/loss": 0.1, "test/loss": 0.2}),
        ("torn", {}),
    ]
    assert "line 1 is damaged" in found[1].damaged
    assert len(damaged) == 1
    assert "is not a valid run.json" in damaged[0]
    with pytest.raises(RunError):
        summary_of(tmp_path / "nothing")
