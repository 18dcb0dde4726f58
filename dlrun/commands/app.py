"""The command line: its commands, and the exit code of each error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dlrun import __version__
from dlrun.commands import screen
from dlrun.commands.interrupts import INTERRUPTED
from dlrun.commands.look import data, diff, runs, sync, ui
from dlrun.commands.train import reproduce, resume, train
from dlrun.commands.use import evaluate, export, predict, serve
from dlrun.commands.write import check, draw, kinds, new, params, schema
from dlrun.errors import DlrunError, SpecError, visible


class _Commands(TyperGroup):
    """The commands; an error of usage shows the characters of an argument that control a terminal."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read the arguments before the command."""
        with _visible_usage():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read the arguments of the command, and run it."""
        with _visible_usage():
            return super().invoke(ctx)


@contextlib.contextmanager
def _visible_usage() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # typer brings its own click or uses the installed one, so its base of all such errors has no public name.
        if hasattr(error, "format_message") and isinstance(message := getattr(error, "message", None), str):
            error.message = visible(message)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="dlrun",
    cls=_Commands,
    help="Deep-learning experiments, written in YAML instead of code.",
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


ROOMS = {
    "Write": (new.new, kinds.kinds, schema.schema, check.check, params.params, draw.draw),
    "Train": (train.train, resume.resume, reproduce.reproduce),
    "Use": (evaluate.evaluate, predict.predict, serve.serve, export.export),
    "Look": (data.data, runs.runs, diff.diff, ui.ui, sync.sync),
}
"""What people do, and the commands for it, in the order of `dlrun --help`."""
for room, commands in ROOMS.items():
    for command in commands:
        app.command(rich_help_panel=room)(command)


def run() -> None:
    """Run the command line; an error is printed and becomes an exit code: 1 the run failed, 2 the input is wrong."""
    screen.write_what_fits()
    try:
        app()
    except SpecError as error:
        screen.problems(error)
        sys.exit(error.exit_code)
    except DlrunError as error:
        screen.failure(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        screen.failure("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The program that read our output (head, less) has ended; that is no error.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # commands turn those of their files into errors of their own
        screen.make_optional()
        screen.failure(f"the output cannot be written: {error.strerror or error}")
        screen.say()  # what is left in the buffer is dropped here, not at the end of the process
        sys.exit(1)
