"""A store that this MLflow cannot open is one clear error, not MLflow's traceback."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from run_folders import epochs, make_run

from dlrun.commands.look.sync import deliver
from dlrun.commands.look.ui import ui
from dlrun.errors import RunError, SpecError
from dlrun.tracking.schema import schema_trouble


def of_schema(file: Path, schema: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        store.execute("UPDATE alembic_version SET version_num = ?", [schema])


def test_a_store_of_this_mlflow_is_opened(runs: Path) -> None:
    from mlflow.store.db.utils import _get_latest_schema_revision

    assert schema_trouble(runs / "mlflow.db") == ""
    of_schema(runs / "mlflow.db", _get_latest_schema_revision())
    assert schema_trouble(runs / "mlflow.db") == ""


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("ffffffffffff", r"made by an MLflow newer than [\d.]+; `pip install --upgrade mlflow`"),
        ("451aebb31d03", r"made by an MLflow older than [\d.]+; make a copy of it, then `mlflow db upgrade sqlite:///"),
    ],
    ids=["newer", "older"],
)
def test_a_store_of_another_mlflow_is_one_error(runs: Path, schema: str, why: str) -> None:
    make_run(runs / "calm-otter", epochs(1))
    of_schema(runs / "mlflow.db", schema)
    with pytest.raises(SpecError, match=rf"cannot open {runs}/mlflow.db: it was {why}"):
        ui(runs=runs)
    with pytest.raises(RunError, match=rf"has nothing of this run: it was {why}") as refused:
        deliver(runs / "calm-otter")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_store_is_one_error(runs: Path) -> None:
    (runs / "mlflow.db").write_text("no database, but more than a hundred bytes of text " * 20)
    with pytest.raises(SpecError, match="it is no store of MLflow: file is not a database"):
        ui(runs=runs)
