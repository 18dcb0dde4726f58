"""`dlrun data`: what the network will see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import AsJson, Overrides, Spec, Strict, problems_as_json, usable_or_none
from dlrun.commands.page_file import check_folder, write_page
from dlrun.errors import SpecError

if TYPE_CHECKING:
    from dlrun.views.data.overview import Overview

MOST_FIELDS = 16
"""Fields that a screen shows."""


@problems_as_json
def data(
    spec: Spec,
    overrides: Overrides = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with pictures too.", callback=usable_or_none),
    ] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Show what the network will see of the data.

    These are the fields, the splits, and the first rows before and after each step.
    """
    from dlrun.checks.check import check

    checked = check(spec, overrides or [], strict=strict)
    if checked.data_info is None:
        raise SpecError(f"{spec} has no `data`")
    check_folder(html)
    from dlrun.training.lifecycle.overview import overview

    found = overview(checked, pictures=html is not None)
    if as_json:
        screen.show_json(found.as_data())
    else:
        _show(found)
        screen.notes(checked.notes)
    if html is not None:
        from dlrun.views.data.page import page

        write_page(html, page(found))
        screen.say(f"{html}: written", stderr=as_json)


def _show(found: Overview) -> None:
    from dlrun.views.data import tables
    from dlrun.views.data.overview import DIGEST

    screen.heading(found.name, f"{found.rows:,} rows, SHA-256 {found.digest[:DIGEST]}")
    several = len({one.input for one in found.stages}) > 1
    screen.grids(
        [
            *tables.splits(found),
            tables.fields(found.fields, MOST_FIELDS),
            *(tables.stage(one, several) for one in found.stages),
        ]
    )
