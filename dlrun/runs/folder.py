"""A run's folder, runs/NAME-TIME/: everything needed to look at the run, resume it, or use its weights."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.runs import durable

if TYPE_CHECKING:
    import torch

STARTED, SPEC, RESOLVED = "run.json", "spec.yaml", "resolved.yaml"
PARAMS, JOURNAL, LABELS, COLUMNS = "params.txt", "metrics.jsonl", "labels.json", "columns.json"
PICTURE = "network.svg"
DECISIONS = "decisions.json"
BEST, LAST, FITTED = "best.safetensors", "last.safetensors", "preprocess.safetensors"
NETWORK = (STARTED, RESOLVED, COLUMNS, LABELS, DECISIONS, FITTED, BEST)
"""The files that predictions need, as far as a run has them."""
EVALUATION = "evaluation"
"""The folder of the evaluation on the test rows; that on other rows has their name behind it."""
TABLE = ".table.json"
"""How the names of its tables end."""
FOLD = "fold-"
"""How the name of a fold's folder begins; its number follows."""
REFIT = "refit"
"""The folder of a run's refit: see runs/refit.py."""
REPRODUCED = "reproduced"
"""What the name of a run has that trains another one again."""
PARTS = (f"{FOLD}*", REFIT)
"""The patterns of the folders of runs that are parts of another."""


def fold_of(folder: Path, number: int) -> Path:
    """The folder of one of the folds of a run, counted from 1."""
    return folder / f"{FOLD}{number}"


def folds_of(folder: Path) -> list[Path]:
    """The folders of the folds of a run that have begun, in order; none where it has no folds."""
    try:
        found = [path.parent for path in folder.glob(f"{FOLD}*/{STARTED}")]
    except (OSError, ValueError):  # it can be no folder's path
        return []
    return sorted(found, key=lambda path: (len(path.name), path.name))


def parts_of(folder: Path) -> list[Path]:
    """The folders of the runs that are parts of a run and have begun: its folds, or its refit."""
    refit = folder / REFIT
    return [*folds_of(folder), *([refit] if (refit / STARTED).is_file() else [])]


def run_around(folder: Path) -> Path | None:
    """The folder of the run that a run is a part of; None for a run that is none."""
    around = folder.resolve().parent
    return around if (around / STARTED).is_file() else None


def name_of(folder: Path) -> str:
    """The name of a run's folder; of one that is a part of another, behind the name of that one."""
    around = run_around(folder)
    return folder.name if around is None else f"{around.name}/{folder.name}"


def runs_of(folder: Path) -> Path:
    """The folder of runs that a run is in, also where it is a part of one of these."""
    return (run_around(folder) or folder.resolve()).parent


def make_folder(runs: Path, name: str, reproduces: bool = False) -> Path:
    """Make a folder for a run, named by name and time; runs that start in the same second get a number.

    `reproduces`: the run trains another one again, which the folder's name says.

    Raises:
        RunError: it cannot be made.
    """
    name = f"{name}-{REPRODUCED}" if reproduces else name
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = runs / (f"{name}-{stamp}" + (f"-{number}" if number > 1 else ""))
            try:
                durable.make_folder(folder)
            except FileExistsError:
                continue
            return folder
    except (OSError, ValueError) as error:
        raise RunError(f"cannot make a folder in {runs}: {getattr(error, 'strerror', None) or error}") from None
    raise RunError(f"a thousand runs called {name} started this second")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        RunError: it cannot be written; nothing half-written is left.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        wrong = text[max(0, error.start - 40) : error.end]
        raise RunError(f"cannot write {path.name}: a path in it is not UTF-8 text: {wrong!r}; rename it") from None
    _write(path, [data])


def read_text(path: Path) -> str:
    """Read a file of a run.

    Raises:
        RunError: it cannot be read.
    """
    try:
        return durable.read(path).decode("utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None


def write_json(path: Path, data: Any) -> None:
    """Write data as JSON, whole or not at all."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], notes: Mapping[str, str]) -> None:
    """Write a safetensors file, whole or not at all."""
    from dlrun.runs.tensors import as_safetensors  # imports torch, which reading a run does not need

    _write(path, as_safetensors(tensors, notes))


def evaluations_of(folder: Path) -> list[Path]:
    """The folders of the evaluations of a run, in order."""
    return sorted(path for path in folder.glob(f"{EVALUATION}*") if path.is_dir() and not path.is_symlink())


def write_evaluation(folder: Path, rows: str, texts: Mapping[str, str]) -> Path:
    """Write the files of an evaluation on some rows, whole or not at all; returns their folder in that of the run.

    Raises:
        RunError: they cannot be written.
    """
    place = folder / (EVALUATION if rows == "test" else f"{EVALUATION}-{rows}")
    try:
        durable.replace_folder(place, {name: text.encode() for name, text in texts.items()})
    except OSError as error:
        raise RunError(f"cannot write {place}: {error.strerror}") from None
    return place


def _write(path: Path, blocks: Iterable[durable.Data]) -> None:
    try:
        durable.replace_file(path, blocks)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
