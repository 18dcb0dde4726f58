"""`dlrun draw`: the network as a picture, or as text that other tools draw; or the numbers that schedules change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import Overrides, Spec, usable_or_none
from dlrun.commands.picture_file import TEXTS, as_png, check_path, format_of, write
from dlrun.errors import Problem, SpecError, visible

if TYPE_CHECKING:
    from dlrun.views.drawing.picture import Picture


def draw(
    spec: Spec,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write; its ending gives the format. By default beside the spec.",
            metavar="FILE",
            callback=usable_or_none,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="svg, png, mermaid or dot; text goes to the screen without --output."),
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=0, help="How many levels of groups to open; deeper groups are one box.")
    ] = None,
    weights: Annotated[bool, typer.Option("--weights", help="Write how many weights each box has.")] = False,
    schedule: Annotated[
        bool,
        typer.Option(
            "--schedule",
            help="Draw the learning rate, and each other number that a schedule changes, over the whole training "
            "instead: on the screen, or SVG or PNG.",
        ),
    ] = False,
) -> None:
    """Draw the network: SVG, PNG, Mermaid or DOT; or the learning rate."""
    kind = format_of(output, format)
    if schedule:
        _draw_schedule(spec, overrides or (), output, kind if output is not None or format is not None else "text")
        return
    path = output if output is not None or kind in TEXTS else spec.parent / f"{spec.stem}.{kind}"
    if path is not None and (output is not None or spec.is_file()):
        check_path(path, spec)
    from dlrun.checks.check import check_model
    from dlrun.views.drawing.picture import picture

    drawn = _written(picture(check_model(spec, overrides or ()), visible(spec.stem), depth, weights), kind)
    if path is None:
        screen.say(drawn.decode().removesuffix("\n"))
    else:
        write(path, drawn)
        screen.say(f"wrote {path}")


def _draw_schedule(spec: Path, overrides: Sequence[str], output: Path | None, kind: str) -> None:
    if kind in TEXTS:
        raise SpecError([Problem(f"a schedule is not drawn as {kind}", hint="leave out --format, or use svg or png")])
    path = output if output is not None or kind == "text" else spec.parent / f"{spec.stem}-schedule.{kind}"
    if path is not None:
        check_path(path, spec)
    from dlrun.checks.check import check
    from dlrun.components.optimizers import LR
    from dlrun.components.schedules import FollowingSchedule
    from dlrun.plan.length import Length
    from dlrun.plan.optimizers import moved
    from dlrun.plan.schedules import curves, entries, scheduled
    from dlrun.views.drawing import plots, schedules

    checked = check(spec, overrides)
    experiment, sizes = checked.experiment, checked.sizes
    if sizes is None:
        hint = "add `data`, `loss` and `optimizer`: the length of a training follows from the rows"
        raise SpecError([Problem(f"{spec} describes only a network, which has no learning rate", hint=hint)])
    length = Length.of(experiment.train, sizes.train)
    groups, _ = moved(checked.plan, experiment.optimizer)
    found = entries(checked.plan, groups, experiment.schedule, experiment.losses, experiment.regularizers)
    changing = scheduled(found)
    drawn = curves(groups, changing, length)
    parts = schedules.plots(drawn, length)
    if path is None:
        screen.say("\n\n".join("\n".join(plots.text(part, screen.width())) for part in parts))
    else:
        picture = plots.svg(parts, schedules.title(list(drawn), visible(spec.stem)))
        write(path, picture.encode() if kind == "svg" else as_png(picture, *plots.size(parts)))
        screen.say(f"wrote {path}")
    for followed, name in dict.fromkeys((one.schedule, one.number.name) for one in changing):
        if isinstance(followed, FollowingSchedule):
            lowered = "the rate" if name == LR else visible(name)
            what = f"{followed.kind} lowers {lowered} as {followed.monitor} decides; here that always improves"
            screen.say_folded(what)


def _written(drawn: Picture, kind: str) -> bytes:
    if kind == "mermaid":
        from dlrun.views.drawing.mermaid import mermaid

        return mermaid(drawn).encode()
    if kind == "dot":
        from dlrun.views.drawing.dot import dot

        return dot(drawn).encode()
    from dlrun.views.drawing.placing import place
    from dlrun.views.drawing.svg import svg

    placed = place(drawn)
    text = svg(drawn, placed)
    if kind == "svg":
        return text.encode()
    return as_png(text, placed.width, placed.height)
