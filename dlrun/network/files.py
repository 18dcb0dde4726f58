"""Trained networks in a run's folder: writing and loading them. Each file holds a whole network that takes raw rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import safetensors
import safetensors.torch
import torch

from dlrun import __version__
from dlrun.checks.reading import Reading, read_spec
from dlrun.components.losses import DATA
from dlrun.components.preprocess import Map, Preprocess
from dlrun.data.fit import Fitted, on_columns
from dlrun.errors import SpecError
from dlrun.language.experiment import TARGET, as_tuple
from dlrun.modules.frozen_map import FrozenMap, back
from dlrun.network.build import build
from dlrun.network.names import front_path
from dlrun.network.preprocessing import states_by_step, with_preprocessing
from dlrun.plan.fields import losses_by_output, wanted
from dlrun.plan.inputs import front_chains
from dlrun.plan.network import Plan, plan
from dlrun.plan.weights import expected
from dlrun.runs import folder as run_folder
from dlrun.runs.refit import learned_in


@dataclass(frozen=True, slots=True)
class Weights:
    """A network's weights and buffers by name, after an epoch."""

    tensors: Mapping[str, torch.Tensor]
    epoch: int


def write_weights(folder: Path, plan: Plan, fitted: Fitted, best: Weights | None, last: Weights | None) -> None:
    """Write the best and the last weights, if there are any, each with the preprocessing.

    Raises:
        RunError: they cannot be written.
    """
    learned = {
        f"{front_path(plan, name)}.{key}": tensor
        for name, step in fitted.items()
        for key, tensor in step.module.state_dict().items()
    }
    for file, weights in ((run_folder.LAST, last), (run_folder.BEST, best)):
        if weights is not None:
            # A tied weight is stored once.
            tensors = {name: weights.tensors[name] for name in expected(plan)} | learned
            notes = {"format": "pt", "dlrun": __version__, "epoch": str(weights.epoch)}
            run_folder.write_tensors(folder / file, tensors, notes)


def load_network(folder: Path | str, which: Literal["best", "last"] = "best") -> torch.fx.GraphModule:
    """A trained network in evaluation mode: from raw rows (N, ...) of each input to the outputs (N, ...).

    The data is not needed, and nothing in the folder is executed: the spec is YAML, the weights are safetensors.

    Args:
        folder: a run's folder; of a run with a refit, its refit is loaded.
        which: the weights of the best epoch, or of the last one.

    Raises:
        SpecError: the folder is not a run's, or a file in it is damaged.
        RunError: the run's refit is not complete.
    """
    folder = Path(folder)
    if folds := run_folder.folds_of(folder):
        message = f"{folder} is a run of several folds, and each has a network of its own"
        raise SpecError(f"{message}\n  `load_network('{folds[0]}')` loads that of the first")
    folder = learned_in(folder)
    reading = read_spec(folder / run_folder.RESOLVED)
    if reading.problems:
        raise SpecError(reading.problems)
    model, data = reading.sections["model"], reading.sections["data"]
    planned = plan(model, reading.tree)
    with torch.random.fork_rng(devices=[]):  # building draws initial weights, which are then replaced
        network = build(planned, model, rewritten=False)
    file = folder / {"best": run_folder.BEST, "last": run_folder.LAST}[which]
    if which == "best" and not file.exists() and (folder / run_folder.LAST).exists():
        message = f"no epoch of {folder} is the best: the metric that decides was never a finite number"
        raise SpecError(f"{message}\n  `load_network(folder, 'last')` loads the weights of the last epoch")
    try:
        weights = safetensors.torch.load_file(file)
        steps = _preprocessing(folder, data.preprocess, list(planned.input_shapes))
        whole = with_preprocessing(network, planned, steps, _targets_back(folder, reading, list(planned.outputs)))
        missing = expected(planned).keys() - weights.keys()
        if missing:
            raise SpecError(f"cannot load the network of {folder}: {file.name} lacks {', '.join(sorted(missing))}")
        whole.load_state_dict(weights, strict=False)  # a tied weight is stored once
    except (OSError, safetensors.SafetensorError, RuntimeError, ValueError, LookupError, TypeError) as error:
        raise SpecError(f"cannot load the network of {folder}: {error}") from None
    return whole.eval()


def target_steps(folder: Path, reading: Reading) -> dict[str, list[FrozenMap]]:
    """For each target of a run that is scaled its fitted steps in order."""
    data, losses = reading.sections["data"], as_tuple(reading.sections["loss"])
    if not data.target_preprocess:
        return {}
    names = data.target if isinstance(data.target, dict) else (TARGET,)
    targets = [name for name in names if wanted(name, data.target, losses, losses_by_output(losses)) == "numbers"]
    chains = front_chains(data.target_preprocess, targets, "target_preprocess")
    states = states_by_step(safetensors.torch.load_file(folder / run_folder.FITTED))
    return {
        target: [step.build(states.get(key, {})) for key, _, step in chain] for target, chain in chains.items() if chain
    }


def _targets_back(folder: Path, reading: Reading, outputs: list[str]) -> dict[str, torch.nn.Module]:
    """For each output with a scaled target the module that brings it back to the units of the data."""
    steps, losses = target_steps(folder, reading), as_tuple(reading.sections["loss"])
    found = {}
    for output in outputs:
        target = output if output in steps else TARGET
        judged = any(loss.compared_with == DATA and loss.output in (None, output) for loss in losses)
        if target in steps and judged:
            found[output] = back(steps[target])
    return found


def _preprocessing(
    folder: Path, steps: tuple[Preprocess, ...], names: Sequence[str]
) -> dict[str, list[tuple[str, torch.nn.Module]]]:
    """The maps of each input: their sizes are in the resolved spec, the rest in files of the run."""
    if not any(isinstance(step, Map) for step in steps):
        return {name: [] for name in names}
    inputs = json.loads((folder / run_folder.COLUMNS).read_text(encoding="utf-8"))["inputs"]
    states = states_by_step(safetensors.torch.load_file(folder / run_folder.FITTED))
    found: dict[str, list[tuple[str, torch.nn.Module]]] = {}
    for name, entry in inputs.items():
        found[name] = []
        for written in entry["maps"]:
            step = steps[written["index"]]
            assert isinstance(step, Map)
            module = on_columns(step, step.build(states.get(written["name"], {})), written["columns"], written["width"])
            found[name].append((written["name"], module))
    return found
