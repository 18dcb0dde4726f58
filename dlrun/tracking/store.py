"""Where the MLflow store is, found without MLflow, which takes seconds to import."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

STORE = "mlflow.db"

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # A server that is down is tried again by us, and not for minutes inside one call.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""What MLflow reads when it is imported and when it calls a server; what a user has set stays."""


def store_file(runs: Path) -> Path:
    """The SQLite file of a folder of runs."""
    return runs.resolve() / STORE


def sqlite_uri(file: Path) -> str:
    """The address of an SQLite file, as MLflow takes it."""
    return f"sqlite:///{file.absolute()}"


def sqlite_file(uri: str) -> Path | None:
    """The file behind an address, or None where the store isn't an SQLite file."""
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(path).absolute() if uri.startswith("sqlite:///") and path and path != ":memory:" else None


def artifacts_of(file: Path) -> Path:
    """The folder for the texts of the runs in an SQLite file.

    Beside the file, because MLflow's own choice depends on the folder that a command happens to run in.
    """
    return file.with_name(f"{file.stem}-artifacts")


def without_password(uri: str) -> str:
    """An address that can be shown."""
    return re.sub(r"(://[^/@:]*):[^/]*@", r"\1:***@", uri)


def prepare_process() -> None:
    """Set what MLflow reads from the environment, and hide the warnings about its own code.

    To be called on the main thread: C code on other threads may read the environment while it changes, and
    the main thread may be about to put older filters of warnings back.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", module=r"(mlflow|sqlalchemy|alembic)(\.|$)")


@contextlib.contextmanager
def locked(file: Path | None) -> Iterator[None]:
    """Let one process at a time open the store in an SQLite file; None, another kind of store, isn't locked.

    MLflow creates the tables of a new file in many steps and takes no lock for it: a second process that
    opens the file meanwhile creates some of them too, or finds half a schema, and fails. The lock is a file
    beside the store; the system lets go of it when its holder dies.
    """
    if file is None or fcntl is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
