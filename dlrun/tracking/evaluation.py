"""The evaluations of a run in MLflow: their files are artifacts, and its pages show tables, plots and pages as such."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dlrun.errors import RunError
from dlrun.runs import durable
from dlrun.runs import folder as run_folder
from dlrun.tracking.mlflow_limits import MAX_TAG
from dlrun.tracking.mlflow_run import MlflowRun, Upload

TABLES = "mlflow.loggedArtifacts"
"""MLflow's tag for the artifacts that its pages show as tables."""


def uploads(run: MlflowRun, folder: Path) -> Iterator[Upload]:
    """The calls that send the evaluations of a run; it must be in the store when they are made.

    Raises:
        RunError: one cannot be read.
    """
    tables = []
    for place in run_folder.evaluations_of(folder):
        try:
            files = durable.read_folder(place)
        except OSError as error:
            raise RunError(f"cannot read {place}: {error.strerror}") from None
        for name, data in files.items():
            path = f"{place.name}/{name}"
            yield path, partial(run.log_text, path, data.decode("utf-8", errors="replace"))
            if name.endswith(run_folder.TABLE):
                tables.append({"path": path, "type": "table"})
    while len(listed := json.dumps(tables)) > MAX_TAG:
        tables.pop()
    if tables:
        yield "the list of tables", partial(run.set_tag, TABLES, listed)
