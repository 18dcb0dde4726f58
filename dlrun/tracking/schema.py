"""Whether the installed MLflow can open a store, found without importing MLflow, which takes seconds."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import sqlite3
from pathlib import Path

from dlrun.tracking.store import sqlite_uri

MIGRATIONS = Path("store/db_migrations/versions")
"""Where MLflow has a file for each schema that a store ever had."""
VARIABLES, FILES_ALLOWED = Path("environment_variables.py"), "MLFLOW_ALLOW_FILE_STORE"
"""Where MLflow names its variables, and the one without which a new MLflow opens no store of files in a folder."""


def store_trouble(uri: str) -> str:
    """Why a run cannot be kept at an address, whatever is there; '' where it can, or where that is not known."""
    if uri.startswith("sqlite:") and not uri.removeprefix("sqlite:").partition("?")[0].strip("/").replace(
        ":memory:", ""
    ):
        return "it is in memory, and gone when the process ends"
    is_folder = uri.startswith(("/", "file:"))
    if is_folder and os.environ.get(FILES_ALLOWED, "").lower() not in ("true", "1"):
        names = [place / VARIABLES for place in _mlflow()]
        if any(file.is_file() and FILES_ALLOWED in file.read_text(encoding="utf-8") for file in names):
            return "the installed MLflow opens no store of files in a folder"
    return ""


def schema_trouble(file: Path) -> str:
    """Why MLflow cannot open an SQLite file, and what to do; '' where it can, or where that is not known."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as store:
            found = store.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:  # it is locked, or has no tables yet
        return ""
    except sqlite3.DatabaseError as error:
        return f"it is no store of MLflow: {error}; name another one"
    known, newest = _schemas()
    if found is None or not known or found[0] == newest:
        return ""
    version = importlib.metadata.version("mlflow")
    if found[0] in known:
        upgrade = f"mlflow db upgrade {sqlite_uri(file)}"
        return f"it was made by an MLflow older than {version}; make a copy of it, then `{upgrade}`"
    return f"it was made by an MLflow newer than {version}; `pip install --upgrade mlflow`, or name another store"


def _schemas() -> tuple[set[str], str]:
    """Every schema that the installed MLflow knows, and its own; none if they cannot be found."""
    before: dict[str, str] = {}
    for file in (file for place in _mlflow() for file in (place / MIGRATIONS).glob("*.py")):
        text = file.read_text(encoding="utf-8")
        if named := re.search(r"^revision = [\"'](\w+)", text, re.M):
            earlier = re.search(r"^down_revision = [\"'](\w+)", text, re.M)
            before[named[1]] = earlier[1] if earlier else ""
    last = set(before) - set(before.values())
    return (set(before), last.pop()) if len(last) == 1 else (set(), "")


def _mlflow() -> list[Path]:
    """The folders of the installed MLflow."""
    package = importlib.util.find_spec("mlflow")
    return [Path(place) for place in (package.submodule_search_locations if package else None) or ()]
