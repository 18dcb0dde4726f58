"""All numbers of a run's network by name, as safetensors: weights, statistics, and what the preprocessing learned."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from dlrun.exported.description import NAME, as_text, description
from dlrun.exported.proof import Array, Inputs, prove, rows_to_compare
from dlrun.exported.written import Written, write_with_description
from dlrun.trained.predict import answers_of, outputs_of
from dlrun.trained.run import TrainedRun


def write(run: TrainedRun, out: Path) -> Written:
    """Write the file, once a network with the numbers in it gives what the run's network gives.

    Raises:
        RunError: it does not, or the file cannot be written.
    """
    about = description(run)
    # A weight that is used twice is there by both names, so that `load_state_dict` finds all of them.
    tensors = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    data = safetensors.torch.save(tensors, {"format": "pt", NAME: as_text(about)})
    rows = rows_to_compare(run)
    again = replace(run, network=_with(run, safetensors.torch.load(data)))

    def compute(_: Inputs) -> Mapping[str, Array]:
        with torch.inference_mode():
            found = outputs_of(again.network, np.arange(rows.count), rows.inputs, run.outputs[0].name)
        return {one.name: answers_of(one, found[one.name]).values for one in run.outputs}

    differences = prove(run, rows, compute)
    return Written(write_with_description(out, data, about), (), (), differences, rows.what)


def _with(run: TrainedRun, tensors: dict[str, torch.Tensor]) -> torch.fx.GraphModule:
    """A network of the same layers whose numbers are all from these tensors."""
    network = copy.deepcopy(run.network)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.zero_()
    network.load_state_dict(tensors)
    return network
