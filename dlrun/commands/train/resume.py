"""`dlrun resume`: resume a run that was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands.arguments import Overrides
from dlrun.commands.train.train import RunScreen, show_run

if TYPE_CHECKING:
    from dlrun.runs.info import Tracking
    from dlrun.training.lifecycle.run import Outcome


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder or name, or `last`.", show_default=False)],
    overrides: Overrides = None,
    runs: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs"),
) -> None:
    """Resume a run, bit-for-bit identical to one that was never interrupted; train.epochs=50 trains a run longer."""
    from dlrun.checks.check import check as check_spec
    from dlrun.runs.find import find_run
    from dlrun.runs.folder import RESOLVED

    folder = find_run(run, runs)
    checked = check_spec(folder / RESOLVED, overrides or (), training=True)

    def start(watcher: RunScreen, tracking: Tracking) -> Outcome:
        from dlrun.training.lifecycle.resume import resume as resume_run

        return resume_run(folder, checked, watcher, tracking)

    show_run(checked, folder.parent, start)
