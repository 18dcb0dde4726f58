"""`dlrun sync`: deliver runs from their folders to MLflow, also from another machine or after a failed delivery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import interrupts, screen
from dlrun.commands.arguments import RunArgument, Runs
from dlrun.errors import RunError, SpecError, without_password

if TYPE_CHECKING:
    from dlrun.tracking.delivery import Delivery


def sync(
    run: Annotated[str | None, RunArgument] = None,
    everything: Annotated[bool, typer.Option("--all", help="Deliver all runs.")] = False,
    to: Annotated[
        str | None,
        typer.Option(metavar="URI", help="A store to use instead of the run's own, such as http://localhost:5000."),
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Deliver a run to MLflow, as far as it is not there yet.

    The run is then complete there, and without duplicates. A run's folder holds everything, so it can be delivered
    later: when the tracking server could not be reached, or when it was trained on a machine without a network.
    """
    from dlrun.runs.find import all_runs, find_run
    from dlrun.runs.folder import parts_of

    if (run is None) != everything:
        raise SpecError("name a run, or all of them with --all")
    folders = [find_run(run, runs)] if run is not None else all_runs(runs)
    if not folders:
        raise SpecError(f"there are no runs in {runs}; --runs says where they are")
    folders = [one for folder in folders for one in (folder, *parts_of(folder))]
    if run is not None:
        for folder in folders:
            deliver(folder, to, even_without_tracker=True)
        return
    failed = 0
    for folder in folders:
        try:
            deliver(folder, to, even_without_tracker=to is not None)
        except RunError as error:
            screen.failure(f"{folder.name}: {error}")
            failed += 1
    if failed:
        raise RunError(f"{failed} of {len(folders)} runs are not completely delivered")
    screen.say("1 run is delivered" if len(folders) == 1 else f"{len(folders)} runs are delivered")


def deliver(folder: Path, to: str | None = None, even_without_tracker: bool = False, stderr: bool = False) -> None:
    """Deliver what a store lacks of one run, and print the result; `to` is used instead of the run's own store.

    With `stderr` it leaves the standard output to others.

    Raises:
        RunError: something is not delivered.
    """
    from dlrun.runs.lock import lock_beside
    from dlrun.runs.run_json import closed_run
    from dlrun.tracking.delivery import Delivery
    from dlrun.tracking.delivery_state import NAME

    run = closed_run(folder)
    if run is None:
        raise RunError("it is being trained; it is delivered during training")
    if run.info.store is None and not even_without_tracker:
        screen.say(f"{folder.name}: has no tracker", stderr=stderr)
        return
    interrupts.say(f"; `dlrun sync {folder}` delivers the rest")
    uri = to or store_address(folder)
    bar = screen.Bar() if screen.has_live_line() else None

    def show(delivery: Delivery) -> None:
        if bar is not None:
            bar.show(delivery.share, folder.name, f"{delivery.sent} values")

    try:
        with lock_beside(folder / NAME):
            delivery = Delivery(folder, uri, watch=show)
            delivery.finish(run.status, run.ended)
    finally:
        if bar is not None:
            bar.stop()
    if missing := delivery.report():
        raise RunError(missing)
    shown = without_password(uri)
    line = f"{folder.name}: {run.status}, complete in {shown}; {delivery.sent} values sent"
    screen.say_folded(line, hanging=2, stderr=stderr)


def store_address(folder: Path) -> str:
    """The address of the store that a run belongs to, that of the environment, or the one beside the runs."""
    from dlrun.runs.folder import runs_of
    from dlrun.runs.info import DEFAULT_STORE
    from dlrun.runs.run_json import read_run
    from dlrun.tracking.store import address, store_of_environment

    store = read_run(folder).info.store or store_of_environment() or DEFAULT_STORE
    return address(store, runs_of(folder))
