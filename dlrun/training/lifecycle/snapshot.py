"""The full state of a training between two steps, as tensors and plain data, and back."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dlrun.components.optimizers import OptimizerState
from dlrun.runs.checkpoints import Checkpoint
from dlrun.training.loop import Training

WEIGHTS, BEST, AVERAGE, OPTIMIZER, PROGRESS = "weights", "best", "average", "optimizer", "progress"
METRIC, CPU, CUDA = "metric/", "generator/cpu", "generator/cuda/"
FIELDS = ("epoch", "step", "best_epoch", "best_value", "waited", "stopped_early", "schedules", "unfrozen")

Tensors = dict[str, dict[str, torch.Tensor]]


def snapshot(training: Training, names: Iterable[str]) -> tuple[Tensors, dict[str, Any]]:
    """Everything that the next steps depend on; `names` are the network's weights and buffers, each once.

    Raises:
        RunError: a loss is not finite.
    """
    state, names = training.state, list(names)
    values = training.task.network.state_dict()
    tensors = {
        WEIGHTS: {name: values[name] for name in names},
        OPTIMIZER: _optimizer_tensors(training.step.states),
        PROGRESS: _generators() | {METRIC + name: tensor for name, tensor in training.measurement.as_tensors().items()},
    }
    if state.best_weights is not None:
        tensors[BEST] = {name: state.best_weights[name] for name in names}
    averaged = 0
    if state.average is not None and state.average.count:
        averaged = state.average.count
        tensors[AVERAGE] = {str(number): value for number, value in enumerate(state.average.values)}
    _, numbers, position, has_gauss, gauss = np.random.get_state()
    data = {name: getattr(state, name) for name in FIELDS} | {
        "averaged": averaged,
        "seconds": training.seconds(),
        "losses": training.losses.as_data(),
        "python": random.getstate(),
        "numpy": [np.asarray(numbers).tolist(), int(position), int(has_gauss), float(gauss)],
    }
    return tensors, data


def restore(training: Training, checkpoint: Checkpoint) -> None:
    """Set a training to the state in a checkpoint."""
    state, data, tensors = training.state, checkpoint.state, checkpoint.tensors
    device = training.device
    for name in FIELDS:
        setattr(state, name, data[name])
    state.seconds = data["seconds"]
    if state.unfrozen:
        training.unfreeze()
    network = training.task.network
    network.load_state_dict(tensors[WEIGHTS], strict=False)  # a tied weight is stored once
    if BEST in tensors:
        state.best_weights = {name: value.to(device) for name, value in tensors[BEST].items()}
    if state.average is not None and AVERAGE in tensors:
        values = tensors[AVERAGE]
        state.average.load([values[str(number)] for number in range(len(values))], data["averaged"])
    training.step.resume(_optimizer_states(tensors[OPTIMIZER], [group.values for group in training.step.weights]))
    training.begin_epoch()
    training.losses.load(data["losses"])
    training.measurement.load(
        {name.removeprefix(METRIC): t.to(device) for name, t in tensors[PROGRESS].items() if name.startswith(METRIC)}
    )
    _restore_generators(tensors[PROGRESS])
    version, numbers, gauss = data["python"]
    random.setstate((version, tuple(numbers), gauss))
    numbers, position, has_gauss, gauss = data["numpy"]
    np.random.set_state(("MT19937", np.array(numbers, np.uint32), position, has_gauss, gauss))


def _optimizer_tensors(states: Sequence[OptimizerState]) -> dict[str, torch.Tensor]:
    return {
        f"{group}/{name}.{number}": tensor
        for group, state in enumerate(states)
        for name, tensors in state.items()
        for number, tensor in enumerate(tensors)
    }


def _optimizer_states(
    tensors: Mapping[str, torch.Tensor], weights: Sequence[Sequence[torch.Tensor]]
) -> list[OptimizerState]:
    states: list[OptimizerState] = [{} for _ in weights]
    for place in sorted(tensors, key=_number):
        group, _, name = place.partition("/")
        tensor, weight = tensors[place], weights[int(group)][_number(place)]
        # Kernels expect a state tensor in the memory layout of its weight; files do not store the layout.
        alike = (tensor.shape, tensor.dtype) == (weight.shape, weight.dtype)
        laid_out = torch.empty_like(weight, requires_grad=False) if alike else None
        value = tensor.to(weight.device, copy=True) if laid_out is None else laid_out.copy_(tensor)
        states[int(group)].setdefault(name.rpartition(".")[0], []).append(value)
    return states


def _number(place: str) -> int:
    """Which weight of its group a tensor of an optimizer belongs to."""
    return int(place.rpartition(".")[2])


def _generators() -> dict[str, torch.Tensor]:
    states = {CPU: torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"{CUDA}{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _restore_generators(tensors: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(tensors[CPU])
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            if (state := tensors.get(f"{CUDA}{number}")) is not None:
                torch.cuda.set_rng_state(state, number)
