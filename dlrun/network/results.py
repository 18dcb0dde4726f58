"""What was learned, as files: each holds a whole network, preprocessing included, that takes raw rows."""

from __future__ import annotations

from pathlib import Path

from dlrun import __version__
from dlrun.network.build import with_front
from dlrun.plan.weights import expected
from dlrun.runs import folder as run_folder
from dlrun.training.lifecycle.setup import TrainingSetup, modules_of
from dlrun.training.state import State


def write_weights(folder: Path, ready: TrainingSetup, state: State, last: bool) -> None:
    """Write the best weights and, with `last`, the last ones; nothing before the first epoch is through.

    Raises:
        RunError: they cannot be written.
    """
    if state.epoch == 0:
        return
    whole = with_front(ready.network, ready.plan, modules_of(ready.front, ready.plan))
    front = {name: value for name, value in whole.state_dict().items() if name.startswith("preprocess.")}
    names = expected(ready.plan)  # a tied weight stands once in a file
    notes = {"format": "pt", "dlrun": __version__}
    if last:  # where the best are back in the network, the last are kept beside
        held = state.last_weights or ready.network.state_dict()
        tensors = {name: held[name] for name in names} | front
        run_folder.write_tensors(folder / run_folder.LAST, tensors, notes | {"epoch": str(state.epoch)})
    if state.best_weights is not None:
        tensors = {name: state.best_weights[name] for name in names} | front
        run_folder.write_tensors(folder / run_folder.BEST, tensors, notes | {"epoch": str(state.best_epoch)})
