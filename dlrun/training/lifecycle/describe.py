"""The description of a run that is written at its start: for its folder, and for a tracker."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from dlrun.errors import visible, without_password
from dlrun.language.resolved import as_yaml, resolved
from dlrun.plan.monitor import directions, monitor
from dlrun.plan.network import Plan
from dlrun.runs import environment
from dlrun.runs import folder as run_folder
from dlrun.runs.info import DataSet, RunInfo
from dlrun.runs.run_json import read_run
from dlrun.runs.settings import NOT_COMPUTED, short_names, short_value
from dlrun.shapes import numel
from dlrun.training.lifecycle.checkpointing import fingerprint
from dlrun.training.lifecycle.commit import git_commit
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.views.drawing.picture import picture
from dlrun.views.drawing.placing import place
from dlrun.views.drawing.svg import svg
from dlrun.views.table import as_text

REPRODUCES = "reproduces"
"""The tag with the name of the run that a run trains again."""
_AGAIN = f" {run_folder.REPRODUCED}"
LONGEST_NAME = 100
"""Characters of a run's name."""


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def describe(
    setup: TrainingSetup,
    place: Path,
    store: str | None,
    mlflow_experiment: str,
    parent: Path | None = None,
    original: RunInfo | None = None,
) -> RunInfo:
    """A run as its folder and the trackers show it.

    Args:
        setup: the training.
        place: the run's folder.
        store: the address of the MLflow store; None for no tracker.
        mlflow_experiment: the MLflow experiment that the run belongs to.
        parent: the folder of the run that it is a part of.
        original: the run that it trains again.
    """
    planned, loaded, watched = setup.plan, setup.loaded, setup.task.watched
    experiment, reading = setup.checked.experiment, setup.checked.reading
    text = as_yaml(resolved(experiment, reading.folder, planned.input_shapes))
    source = experiment.need("data").source
    name, where = source.origin()
    machine = fingerprint(setup.device)
    tags = {
        **environment.versions_here(),
        "torch.version": torch.__version__,
        "device": str(setup.device),
        "device.name": machine["device"],
        "processor": machine["cpu"],
        "threads": machine["threads"],
        "spec.hash": hashlib.sha256(text.encode()).hexdigest(),
        "data.hash": loaded.digest,
        "split.hash": loaded.split_digest,
        "params.total": str(planned.total),
        "params.trainable": str(planned.trainable),
        "run.folder": str(place.resolve()),
        "run.command": command(reading.document.file, reading.document.overrides),
        **{f"class.{one.name}": one.label for one in (*setup.task.objective.terms, *watched) if one.label},
        **git_commit(reading.folder),
    }
    if reading.document.overrides:
        tags["run.overrides"] = "\n".join(map(without_password, reading.document.overrides))
    if original is not None:
        tags[REPRODUCES] = run_folder.name_of(original.folder)
    if setup.weights_digest:
        tags["weights.hash"] = setup.weights_digest
    raw = [entry.raw for entry in planned.inputs]
    shape = raw[0] if len(raw) == 1 else (sum(map(numel, raw)),)
    return RunInfo(
        name=_name(setup, place, parent, original),
        experiment=mlflow_experiment,
        description=experiment.description,
        folder=place,
        started=now(),
        params=setup.settings,
        tags=tags,
        texts={
            run_folder.SPEC: reading.document.source.text,
            run_folder.RESOLVED: text,
            run_folder.PARAMS: visible(as_text(planned)),
            run_folder.PICTURE: _picture(planned, visible(experiment.name)),
        },
        data=DataSet(name, loaded.digest, where, source.kind, loaded.rows, shape),
        classes=loaded.class_counts,
        store=store,
        parent=parent,
        monitor=monitor(experiment.train, watched, len(setup.task.data.validation) > 0).name,
        greater_is_better=directions(setup.task.objective.terms, watched),
    )


def _picture(planned: Plan, name: str) -> str:
    drawn = picture(planned, name)
    return svg(drawn, place(drawn))


def _name(setup: TrainingSetup, place: Path, parent: Path | None, original: RunInfo | None) -> str:
    """The run's name for people: that of its folder, or the experiment's with the settings that the run overrides."""
    if parent is not None and place.name == run_folder.REFIT:
        return f"{read_run(parent).info.name} {place.name}"
    if parent is None and original is not None:
        return f"{original.name.removesuffix(_AGAIN)}{_AGAIN}"
    checked = setup.checked
    return called(checked.experiment.name, checked.reading.document.overrides) or place.name


def command(file: Path | None, overrides: Sequence[str]) -> str:
    """The command line that starts the same run, without passwords."""
    return shlex.join(["dlrun", "train", str(file), *map(without_password, overrides)])


def called(name: str, overrides: Sequence[str]) -> str:
    """A name with the settings that a run overrides: `digits lr=1e-2 seed=3`; '' where it overrides none.

    Of a setting's path only the end is shown: as much as distinguishes it from the others.
    """
    pairs = [text.split("=", 1) for text in overrides]
    pairs = [(place, value) for place, value in pairs if place.split(".")[0] not in NOT_COMPUTED]
    ends = short_names([place for place, _ in pairs])
    settings = [f"{end}={short_value(value)}" for end, (_, value) in zip(ends, pairs, strict=True)]
    return short_value(" ".join([name, *settings]), LONGEST_NAME) if settings else ""
