"""The description of a run that is written at its start: for its folder, and for a tracker."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import time
from pathlib import Path

import torch

from dlrun import __version__
from dlrun.language.resolved import as_yaml, resolved
from dlrun.runs import folder as run_folder
from dlrun.runs.info import DataSet, RunInfo
from dlrun.shapes import numel
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.views.table import as_text


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def describe(setup: TrainingSetup, place: Path, store: str | None, mlflow_experiment: str) -> RunInfo:
    """A run as its folder and the trackers show it.

    Args:
        setup: the training.
        place: the run's folder.
        store: the address of the MLflow store; None for no tracker.
        mlflow_experiment: the MLflow experiment that the run belongs to.
    """
    planned, loaded = setup.plan, setup.loaded
    experiment, reading = setup.checked.experiment, setup.checked.reading
    text = as_yaml(resolved(experiment, reading.folder, planned.input_shapes))
    source = experiment.need("data").source
    name, where = source.origin()
    tags = {
        "dlrun.version": __version__,
        "torch.version": torch.__version__,
        "python.version": platform.python_version(),
        "device": str(setup.device),
        "spec.hash": hashlib.sha256(text.encode()).hexdigest(),
        "data.hash": loaded.digest,
        "split.hash": loaded.split_digest,
        "params.total": str(planned.total),
        "params.trainable": str(planned.trainable),
        "run.folder": str(place.resolve()),
        **{f"class.{one.name}": one.label for one in (*setup.task.objective.terms, *setup.task.watched) if one.label},
        **git_commit(reading.folder),
    }
    if setup.weights_digest:
        tags["weights.hash"] = setup.weights_digest
    raw = [entry.raw for entry in planned.inputs]
    shape = raw[0] if len(raw) == 1 else (sum(map(numel, raw)),)
    return RunInfo(
        name=place.name,
        experiment=mlflow_experiment,
        description=experiment.description,
        folder=place,
        started=now(),
        params=setup.settings,
        tags=tags,
        texts={
            run_folder.SPEC: reading.document.source.text,
            run_folder.RESOLVED: text,
            run_folder.PARAMS: as_text(planned),
        },
        data=DataSet(name, loaded.digest, where, source.kind, loaded.rows, shape),
        store=store,
    )


def git_commit(folder: Path) -> dict[str, str]:
    """The commit of the spec's folder, marked `-dirty` if there are changes; empty outside a repository."""
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"git.commit": found.stdout.strip()} if found.returncode == 0 else {}
