"""A file -> a document: its text, its nodes, and the folder that its paths start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlrun.errors import Place, Problem, Source, SpecError
from dlrun.language.text.node import Node
from dlrun.language.text.yaml_events import MAX_DEPTH, compose

MAX_BYTES = 1 << 20
RESOLVED = "resolved.yaml"
"""The name of the spec that a run keeps: it has every layer with every setting, and blocks are layers in layers, so it
may be longer and deeper than one that is written by hand."""
MAX_RESOLVED_BYTES, MAX_RESOLVED_DEPTH = 64 << 20, 1000


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One text that was read: its root, its source, and its file (None for a text without a file)."""

    root: Node
    source: Source
    file: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the document start from."""
        return self.file.parent if self.file else Path()


def read_document(path: Path, folder: Path = Path()) -> Document:
    """Read a file; `folder` is its folder, from the spec's.

    Raises:
        SpecError: the file cannot be read, is too large, or is not what the language allows.
    """
    most = MAX_RESOLVED_BYTES if path.name == RESOLVED else MAX_BYTES
    try:
        if path.is_dir():
            raise SpecError(f"{path} is a folder; name a YAML file in it")
        with path.open("rb") as stream:
            raw = stream.read(most + 1)
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise SpecError(f"cannot read {str(path)!r}: {error}") from None
    if len(raw) > most:
        raise SpecError(
            f"{path} is larger than {most >> 20} MiB; a spec this long is better written with `blocks` and `repeat`"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = len(before) - before.rfind(b"\n")
        source = Source(str(path), raw.decode("utf-8", errors="replace"))
        place = Place(source, before.count(b"\n") + 1, column)
        raise SpecError([Problem("this is not UTF-8 text", place, "save the file as UTF-8")]) from None
    return parse_text(text, str(path), path, folder)


def parse_text(text: str, name: str, file: Path | None = None, folder: Path = Path()) -> Document:
    """Read YAML text; `name` is its name in errors."""
    source = Source(name, text, folder=folder)
    is_resolved = file is not None and file.name == RESOLVED
    root = compose(source, max_depth=MAX_RESOLVED_DEPTH if is_resolved else MAX_DEPTH)
    return Document(root, source, file)
