"""A training between two steps, as tensors and plain data, and back: all that the steps to come depend on."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dlrun.components.optimizers import OptimizerState
from dlrun.runs.checkpoints import Checkpoint
from dlrun.training.loop import Training

WEIGHTS, BEST, OPTIMIZER, PROGRESS = "weights", "best", "optimizer", "progress"
METRIC, CPU, CUDA = "metric/", "generator/cpu", "generator/cuda/"
FIELDS = ("epoch", "step", "best_epoch", "best_value", "waited", "stopped_early")

Tensors = dict[str, dict[str, torch.Tensor]]


def snapshot(training: Training, names: Iterable[str]) -> tuple[Tensors, dict[str, Any]]:
    """Everything that a training depends on; `names` are the network's weights and buffers, each once.

    Raises:
        RunError: a loss is not finite.
    """
    state, names = training.state, list(names)
    held = training.task.network.state_dict()
    tensors = {
        WEIGHTS: {name: held[name] for name in names},
        OPTIMIZER: _optimizer_tensors(training.step.state),
        PROGRESS: _generators() | {METRIC + name: tensor for name, tensor in training.measurement.kept().items()},
    }
    if state.best_weights is not None:
        tensors[BEST] = {name: state.best_weights[name] for name in names}
    _, numbers, position, has_gauss, gauss = np.random.get_state()
    data = {name: getattr(state, name) for name in FIELDS} | {
        "seconds": training.seconds(),
        "losses": training.losses.kept(),
        "python": random.getstate(),
        "numpy": [np.asarray(numbers).tolist(), int(position), int(has_gauss), float(gauss)],
    }
    return tensors, data


def restore(training: Training, checkpoint: Checkpoint) -> None:
    """Bring a training to where a checkpoint was made."""
    state, data, tensors = training.state, checkpoint.state, checkpoint.tensors
    device = training.device
    for name in FIELDS:
        setattr(state, name, data[name])
    state.seconds = data["seconds"]
    network = training.task.network
    network.load_state_dict(tensors[WEIGHTS], strict=False)  # a tied weight stands once
    if BEST in tensors:
        state.best_weights = {name: value.to(device) for name, value in tensors[BEST].items()}
    training.step.resume(_optimizer_state(tensors[OPTIMIZER], training.step.weights.values))
    training.begin_epoch()
    training.losses.take(data["losses"])
    training.measurement.take(
        {name.removeprefix(METRIC): t.to(device) for name, t in tensors[PROGRESS].items() if name.startswith(METRIC)}
    )
    _restore_generators(tensors[PROGRESS])
    version, numbers, gauss = data["python"]
    random.setstate((version, tuple(numbers), gauss))
    numbers, position, has_gauss, gauss = data["numpy"]
    np.random.set_state(("MT19937", np.array(numbers, np.uint32), position, has_gauss, gauss))


def _optimizer_tensors(state: OptimizerState) -> dict[str, torch.Tensor]:
    return {f"{name}.{number}": tensor for name, tensors in state.items() for number, tensor in enumerate(tensors)}


def _optimizer_state(tensors: Mapping[str, torch.Tensor], weights: Sequence[torch.Tensor]) -> OptimizerState:
    state: OptimizerState = {}
    for place in sorted(tensors, key=_number):
        tensor, weight = tensors[place], weights[_number(place)]
        # Kernels take it that what is kept of a weight lies in memory as the weight does; files know no layout.
        room = torch.empty_like(weight, requires_grad=False) if tensor.shape == weight.shape else None
        held = tensor.to(weight.device, copy=True) if room is None else room.copy_(tensor)
        state.setdefault(place.rpartition(".")[0], []).append(held)
    return state


def _number(place: str) -> int:
    """Which weight a tensor of an optimizer belongs to."""
    return int(place.rpartition(".")[2])


def _generators() -> dict[str, torch.Tensor]:
    found = {CPU: torch.get_rng_state()}
    if torch.cuda.is_available():
        found |= {f"{CUDA}{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    return found


def _restore_generators(tensors: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(tensors[CPU])
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            if (state := tensors.get(f"{CUDA}{number}")) is not None:
                torch.cuda.set_rng_state(state, number)
