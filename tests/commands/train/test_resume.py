"""`dlrun resume` of a run that is complete: it says so, and delivers what the store lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_folders import epochs, make_run, rows, stored

from dlrun.commands.train.resume import resume

RECORDS = epochs(5)
NOWHERE = "http://127.0.0.1:1"


def test_a_complete_run_is_delivered_as_far_as_the_store_lacks_it(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(runs / "calm-otter", RECORDS, params={"train.epochs": "5"})
    for sent in (len(rows(RECORDS)), 0):
        resume("calm-otter", runs=runs)
        printed = capsys.readouterr().out.splitlines()
        assert printed == [
            "calm-otter is complete, after epoch 5; `train.epochs=10` trains it longer",
            f"calm-otter: FINISHED, complete in sqlite:///{runs}/mlflow.db; {sent} values sent",
        ]
    (run,) = stored(runs / "mlflow.db")
    assert (run.status, run.metrics) == ("FINISHED", rows(RECORDS))


def test_a_complete_run_is_no_failure_where_its_store_cannot_be_reached(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = make_run(runs / "away", RECORDS, store=NOWHERE)
    resume("last", runs=runs)
    printed = capsys.readouterr()
    assert printed.out == "away is complete, after epoch 5\n"
    assert printed.err == (
        f"warning: the tracker: MLflow at {NOWHERE} has nothing of this run: Connection refused; "
        f"`dlrun sync {info.folder}` delivers the rest\n"
    )
