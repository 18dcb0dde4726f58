"""Reading and writing run.json, which describes a run; a delivery needs only this file and the journal."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dlrun.errors import RunError
from dlrun.runs import durable
from dlrun.runs import folder as run_folder
from dlrun.runs.checksummed_json import as_json
from dlrun.runs.info import DataSet, Record, RunInfo, Status
from dlrun.runs.journal import CLOCK, TEST, read_journal
from dlrun.runs.lock import is_locked, lock

RUNNING = "RUNNING"
STATUSES = (RUNNING, "FINISHED", "FAILED", "KILLED")
TEXTS = (run_folder.SPEC, run_folder.RESOLVED, run_folder.PARAMS, run_folder.PICTURE)


@dataclass(frozen=True, slots=True)
class Best:
    """The metrics of the best epoch, whose weights are kept."""

    epoch: int | None
    """None where there is none, and for the means over several folds."""
    metrics: dict[str, float]


NO_BEST = Best(None, {})


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run as run.json describes it."""

    info: RunInfo
    status: Status | Literal["RUNNING"]
    ended: int | None
    """Milliseconds since 1970."""
    test: dict[str, float]
    """The test metrics, without their prefix; empty before the test, and without test rows."""
    best: Best = NO_BEST
    """None while it runs, and where it was killed."""


def best_of(records: Iterable[Record], epoch: int) -> Best:
    """The metrics of an epoch from the records of a journal, without times and tests; none where it is not there."""
    for record in records:
        metrics = {name: value for name, value in record.metrics.items() if not name.startswith((CLOCK, TEST))}
        if record.epoch == epoch and metrics:
            return Best(epoch, metrics)
    return NO_BEST


def about(info: RunInfo) -> dict[str, Any]:
    """The entries of run.json that never change; the status, the end and the test metrics are added to them."""
    return {
        "name": info.name,
        "experiment": info.experiment,
        "store": info.store,
        "description": info.description,
        "started": info.started,
        "params": info.params,
        "tags": info.tags,
        "data": info.data and asdict(info.data),
        "classes": info.classes,
        "monitor": info.monitor,
        "greater_is_better": info.greater_is_better,
        **({"parent": ".."} if info.parent is not None else {}),
    }


def about_ended(
    info: RunInfo, status: Status, time: int, best: Best, test: Mapping[str, float], test_of: str
) -> dict[str, Any]:
    """The content of run.json once a run has ended; `test_of` says which weights the test metrics are of."""
    return {
        **about(info),
        "status": status,
        "ended": time,
        "best": {"epoch": best.epoch, "metrics": as_json(best.metrics)},
        "test": as_json(test),
        "test_of": test_of,
    }


def read_run(folder: Path) -> KnownRun:
    """The run in a folder.

    Raises:
        RunError: the folder holds no run, or run.json is invalid.
    """
    path = folder / run_folder.STARTED
    try:
        return _known(folder, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RunError(f"{path} is not a valid {run_folder.STARTED}: {what}") from None


def _known(folder: Path, content: Any) -> KnownRun:
    data = content["data"]
    if data is not None:
        texts = {key: _expect(data[key], str) for key in ("name", "digest", "source", "source_type")}
        shape = tuple(_expect(size, int) for size in _expect(data["shape"], list))
        data = DataSet(**texts, rows=_expect(data["rows"], int), shape=shape)
    info = RunInfo(
        name=_expect(content["name"], str),
        experiment=_expect(content["experiment"], str),
        description=_expect(content["description"], str),
        folder=folder,
        started=_expect(content["started"], int),
        params=_texts(content["params"]),
        tags=_texts(content["tags"]),
        data=data,
        classes=_expect(content["classes"], dict),
        store=None if content["store"] is None else _expect(content["store"], str),
        parent=folder.resolve().parent if content.get("parent") == ".." else None,
        monitor=_expect(content.get("monitor", ""), str),
        greater_is_better={
            name: _expect(more, bool) for name, more in _expect(content.get("greater_is_better", {}), dict).items()
        },
    )
    status, ended = content["status"], content.get("ended")
    if status not in STATUSES:
        raise ValueError(f"unknown status {status!r}")
    best = content.get("best", {"epoch": None, "metrics": {}})
    epoch = best["epoch"]
    known_best = Best(None if epoch is None else _expect(epoch, int), _numbers(best["metrics"]))
    ended = None if ended is None else _expect(ended, int)
    return KnownRun(info, status, ended, _numbers(content.get("test", {})), known_best)


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value


def _numbers(value: Any) -> dict[str, float]:
    return {name: float(number) for name, number in _expect(value, dict).items()}


def _texts(value: Any) -> dict[str, str]:
    return {key: _expect(text, str) for key, text in _expect(value, dict).items()}


def with_texts(info: RunInfo) -> RunInfo:
    """The same with the text files of the run's folder."""
    texts = {}
    for name in TEXTS:
        # A link in a folder from another machine must not copy a file of this machine into a store.
        with contextlib.suppress(OSError):
            texts[name] = durable.read(info.folder / name).decode("utf-8", errors="replace")
    return replace(info, texts=texts)


@dataclass(frozen=True, slots=True)
class ClosedRun:
    """A run that no process trains, and its final status."""

    info: RunInfo
    status: Status
    ended: int
    """Milliseconds since 1970."""


def closed_run(folder: Path) -> ClosedRun | None:
    """The run in a folder, or None while a process trains it.

    A run with the status RUNNING whose lock is free has died; its status becomes KILLED.

    Raises:
        RunError: the folder holds no run.
    """
    known = read_run(folder)
    if is_locked(folder):
        return None
    if known.status == RUNNING:
        try:
            with lock(folder):
                known = read_run(folder)
                if known.status == RUNNING:
                    content = {**about(known.info), "status": "KILLED", "ended": _last_sign(known.info)}
                    run_folder.write_json(folder / run_folder.STARTED, content)
        except RunError:
            if is_locked(folder):  # another process resumes it just now
                return None
            # The folder is read-only; the run has died all the same.
    status = "KILLED" if known.status == RUNNING else known.status
    return ClosedRun(known.info, status, known.ended or _last_sign(known.info))


def _last_sign(info: RunInfo) -> int:
    """The time of the last record of a run that died."""
    with contextlib.suppress(RunError):
        if records := read_journal(info.folder / run_folder.JOURNAL):
            return records[-1].time
    return info.started
