"""The endings of files of predictions."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import SpecError

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".npz")


def check_ending(file: Path) -> None:
    """Hold a file's name to an ending that says what is written.

    Raises:
        SpecError: it has another one.
    """
    if file.suffix not in ENDINGS:
        raise SpecError(f"{file.name} is none of {', '.join(ENDINGS)}: the ending says what is written")
