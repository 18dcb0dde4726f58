"""Find a run by its folder, its name or the beginning of it, `last`, or as the best one of a metric."""

from __future__ import annotations

import contextlib
import difflib
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from dlrun.errors import RunError, SpecError
from dlrun.runs import folder as run_folder
from dlrun.runs.summary import FINISHED, RunSummary, greater_is_better, summary_of

LAST = "last"
BEST = "best:"
"""What comes before a metric, for the run that is the best by it."""
WITHIN = "@"
"""What comes between the metric and the experiment."""
SHOWN, MOST_NAMES = 4, 12
"""How many runs, and how many metrics, an error lists."""
_PART = re.compile(rf"(.+)/({run_folder.FOLD}[0-9]+|{run_folder.REFIT})/?")


def find_run(run: str, runs: Path) -> Path:
    """The folder of a run.

    Args:
        run: a path, the name of a folder under `runs` or a beginning that no other name has, `last` for the run that
            was started last, or `best:validation/loss@digits` for the best complete run of an experiment. After each
            of these `/fold-1` or `/refit` is the run that is a part of it.
        runs: the folder of the runs.

    Raises:
        SpecError: there is no such run, or there are several.
    """
    if not run:
        raise SpecError("name a run: its folder, its name, or `last`")
    try:
        for folder in (Path(run), runs / run):
            if (folder / run_folder.STARTED).is_file():
                return folder
        is_folder = Path(run).is_dir()
    except (OSError, ValueError) as error:
        raise SpecError(f"there is no run {run!r}: {getattr(error, 'strerror', None) or error}") from None
    if part := _PART.fullmatch(run):
        return _part(find_run(part[1], runs), part[2])
    if run == LAST:
        known = all_runs(runs)
        if not known:
            raise SpecError(f"there are no runs in {runs}; --runs says where they are")
        return known[-1]
    if run.startswith(BEST):
        return best_run(run, runs)
    names = [folder.name for folder in _folders(runs)]
    begun = [name for name in names if name.startswith(run)]
    if len(begun) == 1:
        return runs / begun[0]
    if begun:
        raise SpecError(f"{len(begun)} runs in {runs} begin with {run}: {few(begun[::-1])}\n  write more of the name")
    if is_folder:
        raise SpecError(f"{run} is not the folder of a run: there is no {run_folder.STARTED} in it")
    near = difflib.get_close_matches(run, names, 1)
    hint = f"; did you mean {near[0]}?" if near else "; --runs says where runs are"
    raise SpecError(f"there is no run {run} in {runs}{hint}")


def _part(folder: Path, part: str) -> Path:
    """A run that is a part of another."""
    found = folder / part
    if (found / run_folder.STARTED).is_file():
        return found
    parts = [one.name for one in run_folder.parts_of(folder)]
    there = f"its parts are {', '.join(parts)}" if parts else "it is one run, without folds and without a refit"
    raise SpecError(f"the run {folder.name} has no {part}; {there}")


def best_run(run: str, runs: Path) -> Path:
    """The folder of the complete run with the best value of a metric, of all runs or of those of one experiment.

    A value that is not a number is never the best; of equal ones the run that was started first is.

    Args:
        run: such as `best:validation/loss`, or `best:test/accuracy@digits`.
        runs: the folder of the runs.

    Raises:
        SpecError: there is no such run, no run has the metric, or neither more nor less of it is better.
    """
    metric, within, experiment = run.removeprefix(BEST).partition(WITHIN)
    if not metric or (within and not experiment):
        raise SpecError(
            f"{run} names no {'experiment' if metric else 'metric'}; write it as {BEST}validation/loss@digits"
        )
    found, _ = summaries(runs)
    if not found:
        raise SpecError(f"there are no runs in {runs}; --runs says where they are")
    if experiment:
        known = sorted({one.info.experiment for one in found})
        found = [one for one in found if one.info.experiment == experiment]
        if not found:
            raise SpecError(f"no run in {runs} is of the experiment {experiment}; there are {few(known, MOST_NAMES)}")
    of = f" of the experiment {experiment}" if experiment else ""
    found = [one for one in found if one.status == FINISHED]
    if not found:
        raise SpecError(f"no run in {runs}{of} is complete, so none is the best")
    having = [one for one in found if metric in one.metrics]
    if not having:
        raise SpecError(_no_metric(metric, metrics_of(found), f"no complete run in {runs}{of}"))
    rising = [(greater_is_better(metric, one.info), one) for one in having]
    judged = [(more, one) for more, one in rising if more is not None]
    if not judged:
        raise SpecError(f"neither more nor less of {metric} is better, so no run is the best by it")
    valued = [(-one.metrics[metric] if more else one.metrics[metric], one) for more, one in judged]
    valued = [(value, one) for value, one in valued if not math.isnan(value)]
    if not valued:
        raise SpecError(f"{metric} is not a number in any complete run in {runs}{of}")
    return min(valued, key=lambda pair: pair[0])[1].info.folder


def _no_metric(metric: str, known: Sequence[str], who: str) -> str:
    """The error about a metric that no run has."""
    near = difflib.get_close_matches(metric, known, 1) or [name for name in known if name.endswith(f"/{metric}")]
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{who} has the metric {metric}{meant}\n  there are {few(known, MOST_NAMES)}"


def metrics_of(found: Iterable[RunSummary]) -> list[str]:
    """The metrics of some runs by which one is the best, those of validation and test first."""
    names = {name for one in found for name in one.metrics if greater_is_better(name, one.info) is not None}
    return sorted(names, key=lambda name: (name.partition("/")[0] not in ("validation", "test"), name))


def few(names: Sequence[str], most: int = SHOWN) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def summaries(runs: Path) -> tuple[list[RunSummary], list[str]]:
    """The summary of each run in a folder, in the order in which they were started; what is damaged, in words."""
    found: list[RunSummary] = []
    damaged: list[str] = []
    for folder in _folders(runs):
        try:
            found.append(summary_of(folder))
        except RunError as error:
            damaged.append(str(error))
    return sorted(found, key=lambda one: (one.info.started, one.name)), damaged


def all_runs(runs: Path) -> list[Path]:
    """The folders of all runs in a folder, in the order in which they were started."""
    found: list[tuple[int, str, Path]] = []
    for folder in _folders(runs):
        # A folder whose run.json cannot be read is skipped.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            started = json.loads((folder / run_folder.STARTED).read_bytes())["started"]
            found.append((int(started), folder.name, folder))
    return [folder for _, _, folder in sorted(found)]


def _folders(runs: Path) -> list[Path]:
    """The folders with a run in a folder."""
    try:
        return sorted(file.parent for file in runs.glob(f"*/{run_folder.STARTED}"))
    except (OSError, ValueError):  # it can be no folder's path
        return []
