"""A data set that is a folder of files with fixed names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlrun.components.sources import SourceError
from dlrun.errors import SpecPath


def needs(files: Sequence[str]) -> str:
    """What to say of a folder that is not there: which files belong into it."""
    return f"these files belong there, for nothing is downloaded: {', '.join(files)}"


def names_in(folder: Path, at: SpecPath) -> list[str]:
    """The names of the files of a folder, in order.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    except OSError as error:
        raise SourceError(f"the folder {folder.name} cannot be read: {error.strerror}", at) from None


def need_all(folder: Path, expected: Sequence[str], found: Sequence[str], at: SpecPath, more: str = "") -> None:
    """Refuse a folder that lacks expected files; `more` is added to the hint.

    Raises:
        SourceError: it names the files that are there and those that are missing.
    """
    missing = [name for name in expected if name not in found]
    if not missing:
        return
    there = [name for name in expected if name in found]
    lacks = f"lacks {len(missing)} of the {len(expected)} files" if there else "has none of the files"
    hint = f"missing: {', '.join(missing)}"
    hint += f"; found: {', '.join(there)}" if there else f"; put them into {folder}, for nothing is downloaded"
    raise SourceError(f"the folder {folder.name} {lacks} that are expected", at, hint + more)
