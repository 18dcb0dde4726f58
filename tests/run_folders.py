"""Folders of runs as training leaves them, made without training; and the runs of an SQLite store."""

from __future__ import annotations

import math
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.runs import folder as run_folder
from dlrun.runs.info import Record, RunInfo
from dlrun.runs.journal import Journal
from dlrun.runs.run_json import Best, about, about_ended

STARTED = 1_700_000_000_000


def epochs(count: int, first: int = 1) -> list[Record]:
    """One record per epoch; some values are NaN or infinite."""
    return [
        Record(epoch, 10 * epoch, STARTED + epoch, {"train/loss": 1 / epoch, "far": math.inf, "odd": math.nan})
        for epoch in range(first, first + count)
    ]


def make_run(folder: Path, records: Sequence[Record] = (), status: str = "FINISHED", **known: Any) -> RunInfo:
    """The folder of a run with a status; one that is RUNNING and not locked has died."""
    texts = known.pop("texts", {"spec.yaml": "name: x"})
    info = RunInfo(
        **{
            "name": folder.name,
            "experiment": "digits",
            "description": "",
            "folder": folder,
            "started": STARTED,
            "params": {"optimizer": "adam"},
            "tags": {"run.folder": str(folder)},
            **known,
        }
    )
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    with Journal(folder / run_folder.JOURNAL) as journal:
        for record in records:
            journal.write(record)
    end_run(info, status)
    return info


def end_run(info: RunInfo, status: str) -> None:
    """Write run.json again, with another status."""
    ended = {} if status == "RUNNING" else {"ended": STARTED + 10_000}
    run_folder.write_json(info.folder / run_folder.STARTED, {**about(info), "status": status, **ended})


def complete_run(folder: Path, best: dict[str, float], test: dict[str, float], **known: Any) -> RunInfo:
    """The folder of a run that is complete after one epoch with these metrics."""
    info = make_run(folder, [Record(1, 10, STARTED + 1, best)], **known)
    content = about_ended(info, "FINISHED", info.started + 10_000, Best(1, best), test, "epoch 1 (best)")
    run_folder.write_json(folder / run_folder.STARTED, content)
    return info


def rows(records: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Records as the store has them: (name, epoch, time, value, whether it is NaN)."""
    return sorted(
        (name, record.epoch, record.time, *_stored(value))
        for record in records
        for name, value in record.metrics.items()
    )


def _stored(value: float) -> tuple[float, int]:
    if math.isnan(value):
        return 0.0, 1
    return max(min(value, sys.float_info.max), -sys.float_info.max), 0  # SQL stores have no infinity


@dataclass(frozen=True)
class StoredRun:
    """A run in an SQLite store."""

    id: str
    name: str
    status: str
    started: int
    ended: int | None
    metrics: list[tuple[Any, ...]]
    """(name, epoch, time, value, whether it is NaN) of each, sorted."""
    params: dict[str, str]


def stored(file: Path, experiment: str = "digits") -> list[StoredRun]:
    """The runs of an experiment in an SQLite store that were not deleted, by name."""
    with closing(sqlite3.connect(file, timeout=60)) as store:
        runs = store.execute(
            "SELECT run_uuid, runs.name, status, start_time, end_time FROM runs JOIN experiments USING (experiment_id)"
            " WHERE experiments.name = ? AND runs.lifecycle_stage = 'active' ORDER BY runs.name",
            [experiment],
        ).fetchall()
        metrics = "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ?"
        params = "SELECT key, value FROM params WHERE run_uuid = ?"
        return [
            StoredRun(*run, sorted(store.execute(metrics, run[:1])), dict(store.execute(params, run[:1]).fetchall()))
            for run in runs
        ]
