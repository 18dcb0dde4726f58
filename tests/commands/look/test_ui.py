"""`dlrun ui` shows the runs of a folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run_folders import make_run

from dlrun.commands.look.sync import sync
from dlrun.commands.look.ui import free_port, ui
from dlrun.errors import SpecError
from dlrun.runs.info import Record

COMMAND = "import typer; from dlrun.commands.look.ui import ui; app = typer.Typer(); app.command()(ui); app()"
PATIENCE = 120.0


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    make_run(folder / "calm-otter", [Record(1, 1, 1, {"validation/loss": 0.5})])
    sync("calm-otter", runs=folder)
    return folder


@contextlib.contextmanager
def started(runs: Path, port: int, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--runs", runs, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )
    try:
        yield process
    finally:
        # By a signal that the command handles, so that it takes its server along.
        process.terminate()
        process.communicate(timeout=PATIENCE)


def fetch(address: str, **data: Any) -> bytes:
    body = json.dumps(data).encode() if data else None
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read()


def test_without_a_store_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no .*mlflow\.db; the first `dlrun train` makes it"):
        ui(runs=tmp_path)


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_a_port_is_never_beyond_the_last_one() -> None:
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 65535))
        except OSError:
            pytest.skip("the last port is in use")
        taken.listen()
        with pytest.raises(SpecError, match="65535 to 65535 are taken"):
            free_port(65535)


def test_the_pages_show_the_run_until_control_c(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = tmp_path / "entry-0.dist-info"  # as pip writes it, also where an older dlrun is installed
    entry.mkdir()
    (entry / "entry_points.txt").write_text("[mlflow.app]\ndlrun = dlrun.tracking.mlflow_pages:create_app")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for module in ("mlflow", "uvicorn", "fastapi", "sitecustomize"):  # nothing of the current folder is imported
        (elsewhere / f"{module}.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'w')")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        asked = taken.getsockname()[1]
        with started(runs, asked, elsewhere) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            address, _, page = line.partition("/#/")
            assert page.startswith("experiments/1/runs?workflowType=machine_learning&viewStateShareKey=dlrun (")
            html = fetch(f"{address}/")
            assert b"<title>MLflow" in html
            # Before MLflow's own scripts, so that they find it.
            assert html.index(b'"mlflow.workflowType_v1": "\\"machine_learning\\""') < html.index(b"static-files/")
            found = json.loads(fetch(f"{address}/api/2.0/mlflow/runs/search", experiment_ids=["1"]))
            (run,) = found["runs"]
            assert run["info"]["run_name"] == "calm-otter"
            assert [figure["value"] for figure in run["data"]["metrics"]] == [0.5]
            text = fetch(f"{address}/get-artifact?path=spec.yaml&run_uuid={run['info']['run_id']}")
            assert text == b"name: x"

            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out == ""
    port = address.rpartition(":")[2]
    assert err.splitlines() == [f"port {asked} is taken, using {port}", "starting MLflow ..."]
    with pytest.raises(OSError, match="refused"):
        fetch(address)
    assert len(list(elsewhere.iterdir())) == 4
    assert not (tmp_path / "planted").exists()


def test_an_error_of_mlflow_is_shown_and_is_the_commands_own(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "mlflow.db").write_text("this is no database, but it is long enough to be looked at" * 100)
    with started(runs, 5600, tmp_path) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "file is not a database" in err
