"""A run's network as a program of torch.export, which runs where torch is, without dlrun."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlrun.exported.description import NAME, Description, as_text, description
from dlrun.exported.program import Program, as_free_as_it_holds, quiet
from dlrun.exported.proof import Array, Difference, Inputs, prove, rows_to_compare
from dlrun.exported.written import Written, write_with_description
from dlrun.trained.run import TrainedRun

ENDING = ".pt2"
INSIDE = f"{NAME}.json"
"""The name of the description in the file."""


def write(run: TrainedRun, out: Path) -> Written:
    """Write the file, once the program in it gives what the network gives.

    Raises:
        RunError: torch cannot export the network; the answers differ; the file cannot be written.
    """
    rows = rows_to_compare(run)

    def proved(program: Program) -> tuple[Program, Description, bytes, tuple[Difference, ...]]:
        about = description(run, program)
        buffer = io.BytesIO()
        with quiet():
            torch.export.save(program.exported, buffer, extra_files={INSIDE: as_text(about)})
            buffer.seek(0)
            again = torch.export.load(buffer).module()
        return program, about, buffer.getvalue(), prove(run, rows, lambda inputs: _computed(again, inputs), program)

    program, about, data, differences = as_free_as_it_holds(run, proved)
    return Written.of(program, write_with_description(out, data, about), differences, rows)


def _computed(module: Any, inputs: Inputs) -> Mapping[str, Array]:
    with torch.no_grad():
        return {name: values.numpy() for name, values in module(*inputs).items()}
