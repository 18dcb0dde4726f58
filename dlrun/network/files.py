"""A run's folder -> its network, ready for raw rows; the data is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import safetensors
import safetensors.torch
import torch

from dlrun.checks.reading import read_spec
from dlrun.components.preprocess import Preprocess
from dlrun.errors import SpecError
from dlrun.network.build import build, with_front
from dlrun.plan.inputs import front_chains
from dlrun.plan.network import plan
from dlrun.plan.weights import expected
from dlrun.runs import folder as run_folder
from dlrun.training.lifecycle.setup import states_of


def load_network(folder: Path, which: Literal["best", "last"] = "best") -> torch.fx.GraphModule:
    """A trained network in evaluation mode: takes raw rows (N, ...), of each input, to outputs.

    Nothing in the folder is executed: the spec is YAML, the weights are safetensors.

    Raises:
        SpecError: the folder is not a run's, or a file in it is damaged.
    """
    reading = read_spec(folder / run_folder.RESOLVED)
    if reading.problems:
        raise SpecError(reading.problems)
    model, data = reading.sections["model"], reading.sections["data"]
    planned = plan(model, reading.tree)
    network = build(planned, model)
    file = folder / {"best": run_folder.BEST, "last": run_folder.LAST}[which]
    try:
        weights = safetensors.torch.load_file(file)
        whole = with_front(network, planned, _front(folder, data.preprocess, list(planned.input_shapes)))
        missing = expected(planned).keys() - weights.keys()
        if missing:
            raise SpecError(f"cannot load the network of {folder}: {file.name} lacks {', '.join(sorted(missing))}")
        whole.load_state_dict(weights, strict=False)  # a tied weight stands once in a file
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        raise SpecError(f"cannot load the network of {folder}: {error}") from None
    return whole.eval()


def _front(
    folder: Path, steps: tuple[Preprocess, ...], inputs: list[str]
) -> dict[str, list[tuple[str, torch.nn.Module]]]:
    states = states_of(safetensors.torch.load_file(folder / run_folder.FITTED)) if steps else {}
    chains = front_chains(steps, inputs)
    return {name: [(key, step.build(states[key])) for key, _, step in chain] for name, chain in chains.items()}
