"""`dlrun diff`: what differs between runs or specs, by meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlrun.commands import completion, screen
from dlrun.commands.arguments import AsJson, Runs, problems_as_json
from dlrun.errors import Problem, SpecError

MOST = 26
"""Each has a letter."""


@problems_as_json
def diff(
    compared: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Two or more runs or spec files; the others are compared with the first.",
            show_default=False,
            autocompletion=completion.runs_or_specs,
        ),
    ],
    as_json: AsJson = False,
    runs: Runs = Path("runs"),
) -> None:
    """Show in what runs or specs differ: settings, layers, metrics.

    Of runs also the data, the versions and the curves. For example `dlrun diff last best:validation/loss`.
    """
    if not 2 <= len(compared) <= MOST:
        raise SpecError(f"name two runs or specs, or more, up to {MOST}")
    from dlrun.commands.look.differences import Differences, Side, is_spec, run_side, spec_side

    sides: list[Side] = []
    problems: list[Problem] = []
    for text in compared:
        try:
            sides.append(spec_side(Path(text), runs) if is_spec(text) else run_side(text, runs))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    found = Differences.of(sides)
    if as_json:
        screen.show_json(found.as_data())
    else:
        found.show()
