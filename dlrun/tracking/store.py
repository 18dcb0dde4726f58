"""The address of the MLflow store, found without importing MLflow, which takes seconds; and making a new store."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlrun.errors import without_password
from dlrun.runs import durable
from dlrun.runs.info import DEFAULT_STORE
from dlrun.runs.lock import lock_beside

STORE = "mlflow.db"
URI, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
"""The variables by which every tool of MLflow finds its store and its experiment."""
EXPERIMENT_ID, RUN = "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"
"""Variables of MLflow that are refused: they name an experiment by its id, and a run that is there already."""

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # dlrun itself retries a server that is down; MLflow would do so for minutes inside one call.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "10",
}
"""Variables that MLflow reads when it is imported and when it calls a server; values set by the user stay."""


def store_file(runs: Path) -> Path:
    """The SQLite file of a folder of runs."""
    return runs.resolve() / STORE


def sqlite_uri(file: Path) -> str:
    """The address of an SQLite file for MLflow."""
    return f"sqlite:///{file.absolute()}"


def sqlite_file(uri: str) -> Path | None:
    """The SQLite file of an address; None for another kind of store."""
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(path).absolute() if uri.startswith("sqlite:///") and path and path != ":memory:" else None


def address(store: str, runs: Path) -> str:
    """The address of a store for MLflow; the default store is in the folder of runs.

    A run's folder has no password: for the store that the environment names, it is taken from there.
    """
    if store == DEFAULT_STORE:
        return sqlite_uri(store_file(runs))
    uri = os.environ.get(URI, "").strip()
    return uri if uri and without_password(uri) == store else store


def store_of_environment() -> str | None:
    """The store that MLFLOW_TRACKING_URI names, without its password; None if it names none."""
    uri = os.environ.get(URI, "").strip()
    return absolute_store(without_password(uri)) if uri else None


def absolute_store(uri: str) -> str:
    """The same address for a later command, which may run in another folder: a file gets its whole path."""
    file = sqlite_file(uri)
    if file is not None:
        return uri if "?" in uri else sqlite_uri(file)
    if uri.startswith("file:") and not uri.startswith("file:/"):
        return Path(uri.removeprefix("file:")).absolute().as_uri()
    is_path = "://" not in uri and ":" not in uri and uri != "databricks"
    return str(Path(uri).absolute()) if is_path else uri


def artifacts_of(file: Path) -> Path:
    """The folder for the texts of the runs in an SQLite file.

    It is beside the file, because MLflow's own choice depends on the current folder.
    """
    return file.with_name(f"{file.stem}-artifacts")


def prepare_process() -> None:
    """Set the environment variables for MLflow, and hide the warnings about its own code."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", module=r"(mlflow|sqlalchemy|alembic)(\.|$)")


def make_store(file: Path | None) -> None:
    """Make the store in an SQLite file where there is none, whole or not at all; None is another kind of store.

    MLflow creates the tables of a new file in many steps: a second process that opens the file meanwhile finds half a
    schema and fails, and a process that is killed leaves half a schema. So the file is made under another name, by one
    process at a time.
    """
    if file is None or _is_there(file):
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    with lock_beside(file):
        if _is_there(file):
            return
        beside = file.with_name(f".{file.name}.part")
        for left in (beside, beside.with_name(f"{beside.name}-journal")):
            left.unlink(missing_ok=True)
        with _unsynced():
            store = SqlAlchemyStore(sqlite_uri(beside), artifacts_of(file).as_uri())
            store.engine.dispose()
        with beside.open("rb") as made:
            durable.sync(made.fileno())
        beside.replace(file)
        durable.sync_folder(file.parent)


@contextlib.contextmanager
def _unsynced() -> Iterator[None]:
    """Turn off syncing of SQLite files: the caller syncs once at the end, which is faster than many syncs."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def turn_off(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", turn_off)
    try:
        yield
    finally:
        event.remove(Engine, "connect", turn_off)


def _is_there(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0
