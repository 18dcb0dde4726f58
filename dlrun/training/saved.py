"""A run's folder -> its network, ready for raw rows; the data is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import safetensors
import safetensors.torch
import torch

from dlrun.components.preprocess import Preprocess, State
from dlrun.errors import SpecError
from dlrun.graph import build, with_front
from dlrun.plan import plan
from dlrun.reading import read_spec
from dlrun.training import folder as kept
from dlrun.weights import expected


def load_network(folder: Path, which: Literal["best", "last"] = "best") -> torch.fx.GraphModule:
    """A trained network in evaluation mode: takes raw rows (N, ...) to outputs.

    Nothing in the folder is executed: the spec is YAML, the weights are safetensors.

    Raises:
        SpecError: the folder is not a run's, or a file in it is damaged.
    """
    reading = read_spec(folder / kept.RESOLVED)
    if reading.problems:
        raise SpecError(reading.problems)
    model, data = reading.sections["model"], reading.sections["data"]
    planned = plan(model, reading.tree)
    network = build(planned, model)
    file = folder / {"best": kept.BEST, "last": kept.LAST}[which]
    try:
        weights = safetensors.torch.load_file(file)
        front = _front(folder, data.preprocess)
        whole = with_front(network, front, planned.input, planned.takes_indices)
        missing = expected(planned).keys() - weights.keys()
        if missing:
            raise SpecError(f"cannot load the network of {folder}: {file.name} lacks {', '.join(sorted(missing))}")
        whole.load_state_dict(weights, strict=False)  # a tied weight stands once in a file
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        raise SpecError(f"cannot load the network of {folder}: {error}") from None
    return whole.eval()


def _front(folder: Path, steps: tuple[Preprocess, ...]) -> list[tuple[str, torch.nn.Module]]:
    if not steps:
        return []
    held = safetensors.torch.load_file(folder / kept.FITTED)
    states: dict[str, State] = {}
    for name, tensor in held.items():
        step, _, key = name.rpartition(".")
        states.setdefault(step, {})[key] = tensor.numpy()
    counts: dict[str, int] = {}
    front = []
    for step in steps:
        counts[step.kind] = counts.get(step.kind, 0) + 1
        name = f"preprocess.{step.kind}_{counts[step.kind]}"
        front.append((name, step.build(states[name])))
    return front
