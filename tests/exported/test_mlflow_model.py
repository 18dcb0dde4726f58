"""Models of MLflow give what `predict` gives, for rows by the names of their columns; also when they are served."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported.test_export import END, SPECS, invoke, predicted, runs
from places import ROOT
from trained.test_predict import write_rows

import dlrun
from dlrun.errors import SpecError
from dlrun.tracking.mlflow_run import import_quietly
from dlrun.trained.run import TrainedRun, open_run

__all__ = ["runs"]  # the fixture

ROWS = 20


def rows_by_column(run: TrainedRun) -> list[dict[str, Any]]:
    """The first rows of a run's file, as JSON has them."""
    file = Path(run.source.origin()[1])
    fields = [name for entry in run.inputs for name in entry.types]
    if file.suffix == ".npz":
        arrays = np.load(file)
        return [{name: arrays[name][row].tolist() for name in fields} for row in range(ROWS)]
    with file.open(newline="") as stream:
        rows = [row for row, _ in zip(csv.DictReader(stream), range(ROWS), strict=False)]
    return [{name: float(row[name]) if name in ("a", "b") else row[name] for name in fields} for row in rows]


def holds(run: TrainedRun, records: list[dict[str, Any]]) -> None:
    """Hold answers by column to those of `predict`."""
    _, wanted = predicted(run)
    for output in run.outputs:
        want = wanted[output.name][:ROWS]
        if output.kind == "classes":
            (field,) = output.fields
            assert [row[field] for row in records] == [output.labels[place] for place in want.argmax(1)]
            if not output.are_probabilities:
                continue
            columns = [f"{field}={label}" for label in output.labels]
        else:
            columns = [f"{field}=1" for field in output.fields] if output.kind == "yes_or_no" else list(output.fields)
        found = np.array([[row[column] for column in columns] for row in records])
        np.testing.assert_allclose(found, want.reshape(found.shape), atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("name", SPECS)
def test_a_model_gives_what_predict_gives_and_holds_no_pickle(
    runs: dict[str, TrainedRun], name: str, tmp_path: Path
) -> None:
    done = invoke(runs[name].folder, "--to", "mlflow", "--out", tmp_path / "model", "--json")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["rows"] == "the first 60 rows of the data, by the names of their columns"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".pt") or path.read_bytes()[:1] == b"\x80"]
    assert "dlrun==" in (tmp_path / "model" / "requirements.txt").read_text()
    import_quietly()
    import mlflow
    import pandas

    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    rows = rows_by_column(runs[name])
    holds(runs[name], model.predict(pandas.DataFrame(rows)).to_dict("records"))
    holds(
        runs[name],
        [model.predict(pandas.DataFrame([row])).to_dict("records")[0] for row in rows[:1]]
        + [*model.predict(pandas.DataFrame(rows[1:])).to_dict("records")],
    )


def test_a_served_model_answers_rows_in_json(runs: dict[str, TrainedRun], tmp_path: Path) -> None:
    run = runs["classes"]
    assert invoke(run.folder, "--to", "mlflow", "--out", tmp_path / "model").exit_code == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--workers", "1"]
    places = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    places["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(
        [*program, "--model-uri", str(tmp_path / "model"), "--port", str(port)],
        env={**os.environ, **places, "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        rows = rows_by_column(run)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"dataframe_records": rows}).encode(),
            {"Content-Type": "application/json"},
        )
        until = time.monotonic() + 150
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    holds(run, json.load(answer)["predictions"])
                break
            except urllib.error.HTTPError as error:
                raise AssertionError(error.read().decode()) from None
            except OSError:
                assert server.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
                time.sleep(0.5)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 15)
        server.wait(30)
        log.close()


def test_a_model_is_registered_in_the_store_of_its_run(
    runs: dict[str, TrainedRun], tmp_path: Path, template: Path
) -> None:
    run = runs["classes"]
    store = run.folder.parent / "mlflow.db"
    if not store.exists():
        store.write_bytes(template.read_bytes())
    arguments = (run.folder, "--to", "mlflow", "--out", tmp_path / "model", "--register", "kinds of rows", "--json")
    done = invoke(*arguments)
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["registered"] == f"models:/kinds of rows/1 in sqlite:///{store}"
    import_quietly()
    import mlflow
    import pandas

    client = mlflow.MlflowClient(f"sqlite:///{store}", f"sqlite:///{store}")
    model = mlflow.pyfunc.load_model(client.get_model_version_download_uri("kinds of rows", "1"))
    holds(run, model.predict(pandas.DataFrame(rows_by_column(run))).to_dict("records"))


def test_a_text_that_marks_a_missing_value_in_the_data_marks_one_in_a_served_row(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv", 60)
    text = (tmp_path / "rows.csv").read_text().replace(",near,", ",unasked,")
    (tmp_path / "rows.csv").write_text(text)
    spec = SPECS["classes"].replace("{csv: rows.csv}", "{csv: {path: rows.csv, missing: [unasked]}}")
    (tmp_path / "spec.yaml").write_text(
        spec.replace("one_hot", "impute: {columns: place, with: most_frequent}, one_hot") + END
    )
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    import_quietly()
    import pandas

    from dlrun.exported.served import answers_for

    some = [{"a": row["a"], "b": row["b"], "place": row["place"].replace("near", "unasked")} for row in rows[:ROWS]]
    assert any(row["place"] == "unasked" for row in some)
    holds(run, answers_for(run, pandas.DataFrame(some)).to_dict("records"))


def test_what_cannot_be_a_model_is_one_error(runs: dict[str, TrainedRun], tmp_path: Path) -> None:
    run = runs["classes"]
    (tmp_path / "model").mkdir()
    assert "there is already a folder" in str(
        invoke(run.folder, "--to", "mlflow", "--out", tmp_path / "model").exception
    )
    assert "--register is for a model of MLflow" in str(invoke(run.folder, "--to", "onnx", "--register", "x").exception)
    import_quietly()
    import pandas

    from dlrun.exported.served import answers_for

    with pytest.raises(SpecError, match="lacks the column 'b', which the network takes"):
        answers_for(run, pandas.DataFrame([{"a": 1.0, "place": "near"}]))
