"""A run's network as a program of torch.export, which runs where torch is, without dlrun."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch

from dlrun.exported.description import NAME, as_text, description
from dlrun.exported.program import program_of, quiet
from dlrun.exported.proof import Array, Inputs, prove, rows_to_compare
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
    program = program_of(run)
    about = description(run, program.inputs, program.outputs)
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program.exported, buffer, extra_files={INSIDE: as_text(about)})
        buffer.seek(0)
        again = torch.export.load(buffer).module()

    def compute(inputs: Inputs) -> Mapping[str, Array]:
        with torch.no_grad():
            return {name: values.numpy() for name, values in again(*inputs).items()}

    rows = rows_to_compare(run)
    differences = prove(run, rows, compute, program)
    files = write_with_description(out, buffer.getvalue(), about)
    return Written(files, program.inputs, program.outputs, differences, rows.what)
