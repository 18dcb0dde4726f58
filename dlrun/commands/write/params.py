"""`dlrun params`: every layer with its shape, its weights and their formulas; or a comparison of networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import completion, screen
from dlrun.commands.arguments import AsJson, problems_as_json, usable
from dlrun.commands.write.check import is_override
from dlrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from dlrun.plan.network import Plan


@problems_as_json
def params(
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC [SECTION.KEY=VALUE]...",
            autocompletion=completion.specs,
            help="The spec, and changes to it; several specs with --compare.",
            show_default=False,
        ),
    ],
    explain: Annotated[bool, typer.Option("--explain", help="Show each layer's formulas with its numbers.")] = False,
    depth: Annotated[
        int | None,
        typer.Option(min=0, help="How many levels of groups to open; by default as many as fit a screen."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Batch size, for the memory of the activations.")] = 1,
    compare: Annotated[bool, typer.Option("--compare", help="Compare the networks of several specs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count weights and multiply-adds, and show the shape after each layer."""
    files = [usable(Path(text)) for text in specs if not is_override(text)]
    overrides = [text for text in specs if is_override(text)]
    if compare:
        _compare(files, overrides, as_json)
        return
    if len(files) != 1:
        raise SpecError("name one spec" + ("; --compare compares several" if files else ""))
    from dlrun.checks.check import check_model

    plan = check_model(files[0], overrides)
    if as_json:
        from dlrun.views.table import as_data

        screen.show_json(as_data(plan))
        return
    _show(plan, depth, batch)
    if explain:
        _explain(plan)


def _show(plan: Plan, depth: int | None, batch: int) -> None:
    from dlrun.views.table import fit_to_width, totals, tree

    table = tree(plan, depth, batch)
    head, lines = fit_to_width(table, screen.width())
    screen.grid(head, lines, [number for number, row in enumerate(table) if row.opened])
    screen.say()
    for line in totals(plan, batch):
        screen.say(line)
    if any(row.closed for row in table):
        opened = max((row.level + 1 for row in table if row.opened), default=0)
        screen.say_folded(f"some groups are closed; --depth {opened + 1} opens one more level, --depth 99 all")


def _explain(plan: Plan) -> None:
    from dlrun.views.table import formulas

    for title, lines in formulas(plan):
        screen.say(f"\n{title}")
        for line in lines:
            screen.say(f"    {line}")


def _compare(files: list[Path], overrides: list[str], as_json: bool) -> None:
    from dlrun.checks.check import check_model
    from dlrun.views import comparison

    if not files:
        raise SpecError("name the specs to compare")
    plans: list[Plan] = []
    problems: list[Problem] = []
    for file in files:
        try:
            plans.append(check_model(file, overrides))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    if as_json:
        found = [{"spec": str(file), **comparison.as_data(plan)} for file, plan in zip(files, plans, strict=True)]
        screen.show_json({"specs": found})
        return
    for number, (head, lines) in enumerate(comparison.tables(_names(files), plans, screen.width())):
        if number:
            screen.say()
        screen.grid(head, lines)


def _names(files: list[Path]) -> list[str]:
    """The files' names, without folders where that is enough to distinguish them."""
    short = [file.stem for file in files]
    return short if len(set(short)) == len(short) else [str(file) for file in files]
