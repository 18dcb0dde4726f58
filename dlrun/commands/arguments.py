"""Arguments that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from dlrun.commands import completion, screen
from dlrun.errors import SpecError
from dlrun.language.usable import usable


def usable_or_none(path: Path | None) -> Path | None:
    """The same for an option that may be left out."""
    return None if path is None else usable(path)


Spec = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC",
        help="The spec, a YAML file.",
        show_default=False,
        callback=usable,
        autocompletion=completion.specs,
    ),
]
RunArgument = typer.Argument(
    metavar="RUN",
    help="A run: its folder, its name or a beginning that is enough, `last`, or `best:validation/loss@EXPERIMENT`.",
    show_default=False,
    autocompletion=completion.runs,
)
Runs = Annotated[Path, typer.Option(help="The folder of the runs.", callback=usable)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SECTION.KEY=VALUE]...", help="Changes to it, such as train.epochs=50.", show_default=False
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="A note is an error.")]
Decide = Annotated[
    str | None,
    typer.Option(
        metavar="DECISION",
        help="A decision in place of the run's own, as a spec has it: '{bayes: {costs: [[0, 1], [10, 0]]}}'.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data instead of text.")]

P = ParamSpec("P")


def problems_as_json(command: Callable[P, None]) -> Callable[P, None]:
    """Let a command that takes `as_json: AsJson` print its problems as JSON too, where it is called with it."""

    @functools.wraps(command)
    def called(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SpecError as error:
            if not kwargs.get("as_json"):
                raise
            screen.show_json({"problems": [problem.as_data() for problem in error.problems]})
            raise typer.Exit(error.exit_code) from None

    return called
