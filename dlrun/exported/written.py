"""What writing a run in some form came to, and the writing of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlrun.errors import RunError
from dlrun.exported.program import Port, Program
from dlrun.exported.proof import Difference, Rows
from dlrun.runs import durable


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What was written, and how far its answers are from the network's."""

    files: Mapping[Path, int]
    """The files, or the folder, each with its bytes."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    """() for both where only weights are written."""
    differences: tuple[Difference, ...]
    rows: str
    """The rows that were compared."""
    steps: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    """For each number of steps that is free the least, and the most where there is one."""

    @staticmethod
    def of(program: Program, files: Mapping[Path, int], differences: tuple[Difference, ...], rows: Rows) -> Written:
        """What writing a program came to."""
        return Written(files, program.inputs, program.outputs, differences, rows.what, program.steps)


def write_with_description(out: Path, data: bytes, description: Mapping[str, Any]) -> dict[Path, int]:
    """Write a file, and its description beside it, each whole or not at all.

    Raises:
        RunError: a file cannot be written.
    """
    beside = out.with_name(f"{out.name}.json")
    text = (json.dumps(description, indent=2, ensure_ascii=False) + "\n").encode()
    found = {}
    for path, content in ((beside, text), (out, data)):
        try:
            durable.replace_file(path, [content], shared=True)
        except (OSError, ValueError) as error:
            raise RunError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
        found[path] = len(content)
    return dict(reversed(found.items()))
