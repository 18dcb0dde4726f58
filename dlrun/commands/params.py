"""`dlrun params`: every layer with its shape, its weights and where the numbers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import AsJson, Overrides, Spec

if TYPE_CHECKING:
    from dlrun.plan import Plan


def params(
    spec: Spec,
    overrides: Overrides = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show each layer's formulas, numbers put in.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count a network's weights and multiply-adds, and show the shape after every layer."""
    from dlrun.checks import check_model
    from dlrun.summary import COLUMNS, NUMBERS, as_data, rows, totals

    plan = check_model(spec, overrides or ())
    if as_json:
        screen.show_json(as_data(plan))
        return
    screen.table(COLUMNS, rows(plan), right=NUMBERS)
    for line in totals(plan):
        screen.say(line)
    if explain:
        _explain(plan)


def _explain(plan: Plan) -> None:
    from dlrun.summary import explained

    for title, formula in explained(plan):
        screen.say(f"\n{title}")
        for line in formula:
            screen.say(f"    {line}")
