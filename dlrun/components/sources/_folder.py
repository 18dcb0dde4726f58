"""A data set that is a folder of files with fixed names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlrun.components.sources import SourceError
from dlrun.errors import SpecPath


def resolve_folder(path: str, folder: Path, at: SpecPath, files: Sequence[str]) -> Path:
    """The folder that the spec names; `files` are those that belong there.

    Raises:
        SourceError: there is no such folder.
    """
    try:
        full = (folder / Path(path).expanduser()).resolve()
        if full.is_dir():
            return full
        what = f"{path} is a file, but a folder is expected" if full.is_file() else f"the folder {path} does not exist"
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"the path cannot be read: {error}", at) from None
    hint = f"looked for {full}; these files belong there, for nothing is downloaded: {', '.join(files)}"
    raise SourceError(what, at, hint)


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
