"""`dlrun ui`: look at the runs and compare them, in a browser."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from dlrun.commands import interrupts
from dlrun.commands.arguments import Runs
from dlrun.commands.screen import say
from dlrun.errors import SpecError
from dlrun.tracking.mlflow_pages import APP
from dlrun.tracking.mlflow_view import ADDRESS, SIDE, TAG
from dlrun.tracking.schema import schema_trouble
from dlrun.tracking.store import (
    ENVIRONMENT,
    URI,
    artifacts_of,
    sqlite_file,
    sqlite_uri,
    store_file,
    store_of_environment,
)

HOST = "127.0.0.1"
PORTS_TRIED = 100
PATIENCE = 10.0
"""Seconds that MLflow has to end before it is killed."""

QUIET = {
    # Background work for language-model applications: two more processes and many more lines.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "UVICORN_LOG_LEVEL": "warning",
    "PYTHONWARNINGS": "ignore",
}
CHATTER = "[MLflow] Security middleware"
"""The beginning of a line that MLflow writes at every start, whatever its log level."""


def ui(
    port: Annotated[
        int,
        typer.Option(min=1, max=65535, help="The port to listen on; the next free one if it is taken."),
    ] = 5000,
    runs: Runs = Path("runs"),
) -> None:
    """Open the runs in MLflow, in a browser on this machine."""
    file = _store(runs)
    if file is None:
        return
    free = free_port(port)
    if free != port:
        say(f"port {port} is taken, using {free}", stderr=True)
    raise typer.Exit(_serve(file, free))


def _store(runs: Path) -> Path | None:
    """The SQLite file to open, the environment's before that of `runs`; None for a server, whose address is printed.

    Raises:
        SpecError: there is no such file, or MLflow cannot open it.
    """
    store = store_of_environment()
    if store is None:
        file, why = store_file(runs), "--runs names another folder"
        shown = runs / file.name
    elif (named := sqlite_file(store)) is not None:
        file, shown, why = named, named, f"{URI} names it"
    else:
        say(f"{store} has the runs: {URI} names it")
        return None
    if not file.is_file():
        raise SpecError(f"there is no {shown}; the first `dlrun train` makes it; {why}")
    if trouble := schema_trouble(file):
        raise SpecError(f"cannot open {shown}: {trouble}")
    return file


def free_port(port: int) -> int:
    """The first port from `port` on that nobody listens on.

    Raises:
        SpecError: there is none among the next hundred.
    """
    last = min(port + PORTS_TRIED, 65536)
    for candidate in range(port, last):
        with socket.socket() as probe:
            # As a server does: a port that was closed a moment ago counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, candidate))
                return candidate
    raise SpecError(f"the ports {port} to {last - 1} are taken or not allowed; choose another with --port")


def _serve(file: Path, port: int) -> int:
    """Run MLflow's server until it ends or a signal comes; returns the exit code."""
    with interrupts.asked_to_end():
        server = _start(file, port)
        relay = threading.Thread(target=_relay, args=(server,), daemon=True)
        relay.start()
        try:
            _announce(server, f"http://{HOST}:{port}/#/{_page(file)}", port)
            code = server.wait()
        except interrupts.AskedToEndError as asked:
            code = asked.exit_code
        finally:
            _end(server)
        relay.join(1)
    return code


def _start(file: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(file, port),
        # A mlflow.py in the current folder must not be taken for MLflow, also not by the processes that MLflow starts;
        # its server looks for its modules in its working folder first.
        env={**ENVIRONMENT, **_without_relative_paths(os.environ), **QUIET, "PYTHONSAFEPATH": "1"},
        cwd=sys.prefix,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # A group of its own, so that Ctrl-C reaches it once, from us, and ends all its processes.
        process_group=0,
    )


def _command(file: Path, port: int) -> list[str]:
    uri, artifacts = sqlite_uri(file), artifacts_of(file)
    return [
        *(sys.executable, "-P", "-m", "mlflow", "server"),
        *("--backend-store-uri", uri, "--registry-store-uri", uri),
        *("--default-artifact-root", artifacts.as_uri(), "--artifacts-destination", str(artifacts)),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *(("--app-name", APP) if importlib.metadata.entry_points(group="mlflow.app", name=APP) else ()),
    ]


def _without_relative_paths(environment: Mapping[str, str]) -> dict[str, str]:
    """The same with absolute entries in PYTHONPATH alone: another entry means a place in the current folder."""
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    return {**environment, "PYTHONPATH": os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())}


def _announce(server: subprocess.Popen[str], address: str, port: int) -> None:
    """Print the address once it answers; MLflow takes some seconds to start."""
    say("starting MLflow ...", stderr=True)
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            say(f"{address} (Ctrl-C ends it)")
            return
        time.sleep(0.1)


def _page(file: Path) -> str:
    """The first page: the runs of the experiment that was run last, or all experiments."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(file)) as store:
        last = "SELECT experiment_id FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time DESC"
        if (found := store.execute(last).fetchone()) is not None:
            tags = "SELECT 1 FROM experiment_tags WHERE experiment_id = ? AND key = ?"
            has_view = store.execute(tags, (found[0], TAG)).fetchone() is not None
            return f"experiments/{found[0]}/runs?{ADDRESS if has_view else SIDE}"
    return f"experiments?{SIDE}"


def _relay(server: subprocess.Popen[str]) -> None:
    """Print MLflow's errors."""
    assert server.stderr is not None
    for line in server.stderr:
        if not line.startswith(CHATTER):
            say(line.rstrip("\n"), stderr=True)


def _end(server: subprocess.Popen[str]) -> None:
    """End the server and the processes that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
