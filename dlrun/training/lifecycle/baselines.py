"""The baselines of a run: begun when it is trained and tested, and no part of what makes it complete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dlrun.errors import RunError
from dlrun.plan.baselines import baselines
from dlrun.runs.baselines import NAME, Comparison
from dlrun.training.baselines.compare import BaselineWatcher, Comparing
from dlrun.training.baselines.worker import Stopped
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.training.loop import Training


class RunNotices(BaselineWatcher, Protocol):
    """Is called as baselines are computed, and with what goes wrong."""

    def notice(self, text: str) -> None:
        """A message for the user."""


def begin(
    setup: TrainingSetup, training: Training, folder: Path, test: dict[str, float], watcher: RunNotices
) -> Comparing | None:
    """Write that the baselines are to be computed; None where the run has none, as before a refit, which has them."""
    task = setup.task
    chosen = baselines(setup.checked.experiment, setup.plan, task.objective.terms)
    if task.settings.refits or not chosen or not (len(task.data.validation) or len(task.data.test)):
        with contextlib.suppress(OSError):
            (folder / NAME).unlink(missing_ok=True)  # of a shorter training of this run
        return None
    with _harmless(folder, watcher):
        labels = setup.loaded.targets[task.objective.terms[0].answer.name].labels
        comparing = Comparing(training, chosen, None if labels is None else len(labels), folder)
        comparing.begin(test)
        return comparing
    return None


def compare(comparing: Comparing | None, watcher: RunNotices) -> Comparison | None:
    """Compute the baselines; whatever goes wrong is a message, and the run stays as it is."""
    if comparing is None:
        return None
    with _harmless(comparing.folder, watcher):
        comparing.run(watcher)
    return comparing.comparison


@contextlib.contextmanager
def _harmless(folder: Path, watcher: RunNotices) -> Iterator[None]:
    try:
        yield
    except Stopped:
        watcher.notice(f"the baselines are not complete; `dlrun resume {folder}` computes them")
    except (RunError, RuntimeError, MemoryError, OSError) as error:
        what = str(error) or type(error).__name__
        watcher.notice(f"the baselines are not complete: {what}; `dlrun resume {folder}` computes them")
