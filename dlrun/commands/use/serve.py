"""`dlrun serve`: a run behind an address of this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from dlrun.commands import interrupts, screen
from dlrun.commands.arguments import RunArgument, Runs
from dlrun.errors import Problem, SpecError

NEEDED = ("starlette", "uvicorn")


def serve(
    run: Annotated[str, RunArgument],
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on; by default this machine alone reaches it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for a free one.")] = 8000,
    runs: Runs = Path("runs"),
) -> None:
    """Predict over HTTP, with a page to try a run.

    POST /predict takes rows as JSON, a list of objects with the columns as keys, or as csv; for images an image.
    GET / is the page, and GET /health says whether the server is there.
    """
    from dlrun.runs.find import find_run

    folder = find_run(run, runs)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        message = f"`dlrun serve` needs the package {missing[0]}, which is not installed"
        raise SpecError([Problem(message, hint="pip install 'dlrun[serve]'")])
    from dlrun.served.server import serving
    from dlrun.trained.run import open_run

    trained = open_run(folder)
    code = 1
    try:
        with interrupts.asked_to_end(), serving(trained, host, port, screen.failure) as (address, thread):
            screen.say(f"{address} (Ctrl-C ends it)")
            thread.join()
    except interrupts.AskedToEndError as asked:
        code = asked.exit_code
        screen.say("ended", stderr=True)
    raise typer.Exit(code)
