"""The file that a picture is written to: its format, whether it can be written, and writing it."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import Problem, SpecError
from dlrun.runs import durable

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


def format_of(output: Path | None, asked: str | None = None) -> str:
    """The format that is asked for, or that of the file's ending; svg without either.

    Raises:
        SpecError: there is no such format.
    """
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


def check_path(path: Path, spec: Path) -> None:
    """Check that a picture of a spec can be written there.

    Raises:
        SpecError: it cannot.
    """
    try:
        _need_a_file(path, spec)
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def _need_a_file(path: Path, spec: Path) -> None:
    if not path.parent.is_dir():
        raise SpecError([Problem(f"there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")])
    if path.is_dir():
        raise SpecError([Problem(f"{path} is a folder", hint=f"name a file in it: {path / spec.stem}.svg")])
    if path.exists() and spec.exists() and path.samefile(spec):
        raise SpecError([Problem(f"{path} is the spec itself", hint="name another file")])


def as_png(svg: str, width: float, height: float) -> bytes:
    """A picture in SVG, drawn as PNG."""
    from dlrun.views.drawing.png import png

    return png(svg, width, height)


def write(path: Path, data: bytes) -> None:
    """Write the whole file, or leave the old one as it is."""
    try:
        durable.replace_file(path, [data], shared=True)
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
