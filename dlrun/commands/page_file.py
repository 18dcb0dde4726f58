"""The file of a page that a command writes."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import SpecError


def check_folder(file: Path | None) -> None:
    """Hold a file to a folder that there is, before anything is computed.

    Raises:
        SpecError: there is none.
    """
    if file is not None and not file.absolute().parent.is_dir():
        raise SpecError(f"cannot write {file}: there is no folder {file.absolute().parent}")


def write_page(file: Path, page: str) -> None:
    """Write the page beside, then in its place.

    Raises:
        SpecError: the file cannot be written.
    """
    from dlrun.commands.picture_file import write

    write(file, page.encode())
