"""The command line: which commands there are, and how their errors end."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dlrun import __version__
from dlrun.commands import screen
from dlrun.commands.look import sync, ui
from dlrun.commands.train import resume, train
from dlrun.commands.write import check, draw, kinds, new, params, schema
from dlrun.errors import DlrunError, SpecError

app = typer.Typer(
    name="dlrun",
    help="Deep-learning experiments, written down in YAML instead of programmed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        screen.say(f"dlrun {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


COMMANDS = (
    train.train,
    resume.resume,
    sync.sync,
    ui.ui,
    check.check,
    params.params,
    draw.draw,
    kinds.kinds,
    schema.schema,
    new.new,
)
for command in COMMANDS:
    app.command()(command)


def run() -> None:
    """Run the command line; errors are told and become exit codes: 1 the run failed, 2 what was written is wrong."""
    try:
        app()
    except SpecError as error:
        screen.problems(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except DlrunError as error:
        screen.failure(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        screen.say(stderr=True)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output (head, less) has gone; that is no error.
        sys.stderr.close()
        sys.exit(0)
