"""`dlrun runs`: a table of the runs in a folder, from their folders alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import AsJson, Runs
from dlrun.errors import SpecError


def runs(
    sort: Annotated[
        str,
        typer.Option(help="A metric, the best run first; a setting; or when they were started.", metavar="NAME"),
    ] = "started",
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only runs of which this holds, such as optimizer=adam, lr<0.01 or status!=FINISHED; may be repeated.",
            metavar="CONDITION",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="Only so many, those started last.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    runs: Runs = Path("runs"),
) -> None:
    """List the runs of a folder, with their settings and metrics.

    The settings are those in which the runs differ; the metrics those of the best epoch and of the test.
    For example `dlrun runs --sort validation/loss --where optimizer=adam --last 20`.
    """
    from dlrun.commands.look.runs_table import as_data, show
    from dlrun.runs.find import summaries
    from dlrun.runs.listing import condition, full_name, ordered

    if not runs.is_dir():
        raise SpecError(f"there is no folder {runs}; --runs says where the runs are")
    found, damaged = summaries(runs)
    for text in [*damaged, *(one.damaged for one in found if one.damaged)]:
        screen.failure(text, word="note")
    known = len(found)
    if found:
        for wanted in [condition(text, found, read) for text in where or ()]:
            found = [one for one in found if wanted.holds(one, read)]
        if found:
            sort = full_name(sort, found, "--sort")
            found = ordered(found[-last if last else 0 :], sort, read)
    if as_json:
        screen.show_json([as_data(one) for one in found])
    elif not found:
        screen.say(f"none of the {known} runs in {runs} is so" if known else f"there are no runs in {runs}")
    else:
        show(found, sort)


def read(text: str) -> Any:
    """A value as a spec would have it; a list in one line is a tuple of values."""
    from dlrun.language.text.yaml_events import resolve_scalar

    if text.startswith("[") and text.endswith("]"):
        return tuple(resolve_scalar(part.strip()) for part in text[1:-1].split(","))
    return resolve_scalar(text)
