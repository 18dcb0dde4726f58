"""`dlrun draw`: the network as a picture, or as text that other tools draw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import Overrides, Spec, usable_or_none
from dlrun.errors import Problem, SpecError, visible
from dlrun.runs import durable

if TYPE_CHECKING:
    from dlrun.views.drawing.picture import Picture

SUFFIXES = {
    ".svg": "svg",
    ".png": "png",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
}
TEXTS = ("mermaid", "dot")
FORMATS = ("svg", "png", *TEXTS)


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
) -> None:
    """Draw the network: SVG, PNG, Mermaid or DOT."""
    kind = _format(output, format)
    path = output if output is not None or kind in TEXTS else spec.parent / f"{spec.stem}.{kind}"
    if path is not None and (output is not None or spec.is_file()):
        try:
            _check_path(path, spec)
        except (OSError, ValueError) as error:
            raise SpecError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
    from dlrun.checks.check import check_model
    from dlrun.views.drawing.picture import picture

    drawn = _written(picture(check_model(spec, overrides or ()), visible(spec.stem), depth, weights), kind)
    if path is None:
        screen.say(drawn.decode().removesuffix("\n"))
    else:
        _write(path, drawn)
        screen.say(f"wrote {path}")


def _format(output: Path | None, asked: str | None) -> str:
    if asked is not None:
        if asked in FORMATS:
            return asked
        from dlrun.language.suggestions import did_you_mean

        hint = "formats: " + ", ".join(FORMATS)
        meant = {"mmd": "mermaid", "gv": "dot", "graphviz": "dot", "jpg": "png", "jpeg": "png", "pdf": "svg"}
        raise SpecError([Problem(f"unknown format '{asked}'{did_you_mean(asked, FORMATS, meant)}", hint=hint)])
    if output is None:
        return "svg"
    if output.suffix.lower() not in SUFFIXES:
        hint = f"endings: {', '.join(SUFFIXES)}; or use --format"
        raise SpecError([Problem(f"the ending of {output} is not that of a format", hint=hint)])
    return SUFFIXES[output.suffix.lower()]


def _check_path(path: Path, spec: Path) -> None:
    if not path.parent.is_dir():
        raise SpecError([Problem(f"there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")])
    if path.is_dir():
        raise SpecError([Problem(f"{path} is a folder", hint=f"name a file in it: {path / spec.stem}.svg")])
    if path.exists() and spec.exists() and path.samefile(spec):
        raise SpecError([Problem(f"{path} is the spec itself", hint="name another file")])


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
    from dlrun.views.drawing.png import png

    return png(text, placed.width, placed.height)


def _write(path: Path, data: bytes) -> None:
    """Write the whole file, or leave the old one as it is."""
    try:
        durable.replace_file(path, [data], shared=True)
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
