"""`dlrun kinds`: everything that a spec can name, from all families to every setting of one kind."""

from __future__ import annotations

from typing import Annotated

import typer

from dlrun.commands import completion
from dlrun.commands.arguments import AsJson, problems_as_json


@problems_as_json
def kinds(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A kind, a family or a section: conv2d, losses, losses.l1, train.", autocompletion=completion.names
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every kind of layer, loss, optimizer …, or explain one."""
    from dlrun.commands.write.pages import show

    show(name, as_json)
