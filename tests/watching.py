"""A watcher of runs that does nothing, and a run with it."""

from pathlib import Path

from dlrun.checks.check import Checked
from dlrun.tracking.open import experiment_of, open_tracking, store_of
from dlrun.training.lifecycle.run import Outcome, run


class Silent:
    """A watcher that ignores all events."""

    def ready(self, plan, loaded, folder, device) -> None: ...
    def note(self, problem) -> None: ...
    def notice(self, text) -> None: ...
    def tested(self, setup, training, outcome) -> None: ...
    def trunk(self, rows, share) -> None: ...
    def baseline(self, name, number, count) -> None: ...
    def progress(self, progress) -> None: ...
    def epoch(self, epoch, metrics, epochs) -> None: ...


def run_silently(checked: Checked, runs: Path) -> Outcome:
    """A whole run under `runs`, reported only to the spec's tracker."""
    tracker = checked.experiment.tracking
    with open_tracking(tracker, runs) as tracking:
        mlflow_experiment = experiment_of(tracker, checked.experiment.name)
        return run(checked, Silent(), runs, tracking, store_of(tracker), mlflow_experiment)
