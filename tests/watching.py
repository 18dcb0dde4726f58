"""A watcher of runs that watches nothing, and runs that it watches."""

from pathlib import Path

from dlrun.checks.check import Checked
from dlrun.tracking.open import open_tracking
from dlrun.training.lifecycle.run import Outcome, run


class Silent:
    """Takes all that a run tells and shows none of it."""

    def ready(self, plan, loaded, folder, device) -> None: ...
    def notice(self, text) -> None: ...
    def progress(self, progress) -> None: ...
    def epoch(self, epoch, figures, epochs) -> None: ...


def run_silently(checked: Checked, runs: Path) -> Outcome:
    """A whole run under `runs`, told to nobody but the spec's tracker."""
    with open_tracking(checked.experiment.tracking, runs) as tracking:
        return run(checked, Silent(), runs, tracking)
