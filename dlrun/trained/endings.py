"""The endings of files of predictions."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import SpecError

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".npz")


PACKED = (".gz", ".zst")
"""What comes after the ending of a file of text that is packed."""


def skipped_file(out: Path | None, rows: Path) -> Path:
    """The file for the rows that are left out: beside that of the predictions, with `.skipped` before its ending; for
    predictions on the standard output, a csv in the current folder that has the name of the file of rows."""
    if out is not None:
        return out.with_name(f"{out.stem}.skipped{out.suffix}")
    name = rows.with_suffix("") if rows.suffix in PACKED else rows
    return Path(f"{name.stem}.skipped.csv")


def check_ending(file: Path) -> None:
    """Hold a file's name to an ending that says what is written.

    Raises:
        SpecError: it has another one.
    """
    if file.suffix not in ENDINGS:
        raise SpecError(f"{file.name} is none of {', '.join(ENDINGS)}: the ending says what is written")
