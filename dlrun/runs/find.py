"""Find a run by its folder, its name, or `last`."""

from __future__ import annotations

import contextlib
import difflib
import json
from pathlib import Path

from dlrun.errors import SpecError
from dlrun.runs import folder as run_folder

LAST = "last"


def find_run(run: str, runs: Path) -> Path:
    """The folder of a run: at a path, by its name under `runs`, or the one that was started last for `last`.

    Raises:
        SpecError: there is no such run.
    """
    if run == LAST:
        known = all_runs(runs)
        if not known:
            raise SpecError(f"there are no runs in {runs}; --runs says where they are")
        return known[-1]
    try:
        for folder in (Path(run), runs / run):
            if (folder / run_folder.STARTED).is_file():
                return folder
        is_folder = Path(run).is_dir()
    except (OSError, ValueError) as error:
        raise SpecError(f"there is no run {run!r}: {getattr(error, 'strerror', None) or error}") from None
    if is_folder:
        raise SpecError(f"{run} is not the folder of a run: there is no {run_folder.STARTED} in it")
    near = difflib.get_close_matches(run, [folder.name for folder in all_runs(runs)], 1)
    hint = f"; did you mean {near[0]}?" if near else "; --runs says where runs are"
    raise SpecError(f"there is no run {run} in {runs}{hint}")


def all_runs(runs: Path) -> list[Path]:
    """The folders of all runs in a folder, in the order in which they were started."""
    found: list[tuple[int, str, Path]] = []
    try:
        files = list(runs.glob(f"*/{run_folder.STARTED}"))
    except (OSError, ValueError):  # it can be no folder's path
        return []
    for file in files:
        # A folder whose run.json cannot be read is skipped.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            started = json.loads(file.read_bytes())["started"]
            found.append((int(started), file.parent.name, file.parent))
    return [folder for _, _, folder in sorted(found)]
