"""The refit of a run: a run of its own in the folder of the one that found out how long to train."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import RunError
from dlrun.runs.folder import REFIT, STARTED
from dlrun.runs.run_json import read_run

SETTING, VALUE = "train.early_stopping.then", "refit"
"""The setting of a run that has a refit, and its value."""


def refit_of(folder: Path) -> Path | None:
    """The folder of a run's refit, perhaps not there yet; None where the run has none, and where there is no run.

    Raises:
        RunError: run.json is damaged.
    """
    try:
        there = (folder / STARTED).exists()
    except (OSError, ValueError):  # it can be no folder's path
        return None
    if not there:
        return None
    return folder / REFIT if read_run(folder).info.params.get(SETTING) == VALUE else None


def has_begun(refit: Path) -> bool:
    """Whether there is a refit to resume."""
    return (refit / STARTED).is_file()


def is_complete(refit: Path) -> bool:
    """Whether a refit is trained to its end."""
    return has_begun(refit) and read_run(refit).status == "FINISHED"


def learned_in(folder: Path) -> Path:
    """The folder with the network that a run has learned: that of its refit where it has one.

    Raises:
        RunError: the refit is not complete, or run.json is damaged.
    """
    refit = refit_of(folder)
    if refit is None:
        return folder
    if not is_complete(refit):
        raise RunError(f"the refit of {folder} is not complete; `dlrun resume {folder}` completes it")
    return refit
