"""The fast form of a step: groups of few weights become flat, and the computation is captured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

import torch
from torch import nn

from dlrun.components.optimizers import Optimizer, OptimizerState
from dlrun.data.batches import Batch, Tensors
from dlrun.training.speed.capture import Repeated, can_capture
from dlrun.training.speed.flat_weights import FlatWeights
from dlrun.training.step import TrainedWeights, step
from dlrun.training.task import Task


class FastStep:
    """Does the same as `step`, to the bit, with captured code where that is faster."""

    def __init__(self, task: Task):
        self.task = task
        device = task.device.type
        parts = [(number, group.parameters) for number, group in enumerate(task.groups)]
        if task.unfreezing is None:
            parts += [(number, group.late) for number, group in enumerate(task.groups)]
        parts = [(number, parameters) for number, parameters in parts if parameters]
        self.owners = [number for number, _ in parts]
        """For each part of the weights the number of its group; weights that begin later are a part of their own."""
        self.weights = [_weights(task.groups[number].optimizer, parameters, device) for number, parameters in parts]
        self.states = [
            task.groups[number].optimizer.begin(weights.values)
            for number, weights in zip(self.owners, self.weights, strict=True)
        ]
        """The optimizer's state for each part."""
        self.losses = task.losses
        """How many losses a step returns."""
        parameters = [parameter for _, some in parts for parameter in some]
        self.captures = can_capture(device, sum(parameter.numel() for parameter in parameters))
        """Whether steps are captured, and validation too."""
        flat = all(isinstance(weights, FlatWeights) for weights in self.weights)
        movable = device != "cpu" or (flat and not any(group.optimizer.fused for group in task.groups))
        self.moves = self.captures and movable and all(group.schedule is None for group in task.groups)
        """Whether the optimizers' step is captured too: its rates must be constant and its kernels recordable."""
        self.repeated = Repeated(self._compute, self._tensors, self.captures)
        self.bounding = Repeated(self._bound, lambda: [*parameters], self.captures)
        """The constraints, where the optimizer's step before them is not captured."""
        self.no_rows = Batch((torch.zeros(1, device=task.device),), {})

    def __call__(self, batch: Batch, rates: Sequence[float]) -> tuple[Tensors, Tensors]:
        """Take a step at a learning rate for each group; returns what `step` does."""
        results = self.repeated(batch)
        if not self.moves:
            count = sum(len(weights.values) for weights in self.weights)
            self._move(results[-count:], rates)
            results = results[:-count]
        return results[: self.losses], results[self.losses :]

    def resume(self, states: list[OptimizerState]) -> None:
        """Continue from the optimizers' states in a checkpoint."""
        self.states = states

    def _compute(self, batch: Batch) -> Tensors:
        """The part to capture: the whole step, or all but the optimizers' step, with the gradients as results."""
        gradients: Tensors = []
        losses, metrics = step(self.task, self.weights, batch, self._move if self.moves else gradients.extend)
        return [*losses, *metrics, *gradients]

    def _move(self, gradients: Tensors, rates: Sequence[float] = ()) -> None:
        """The optimizers' step, by default at their own rates; then the constraints hold again."""
        left = iter(gradients)
        rates = rates or [group.optimizer.lr for group in self.task.groups]
        for number, weights, state in zip(self.owners, self.weights, self.states, strict=True):
            optimizer = self.task.groups[number].optimizer
            optimizer.step(weights.values, list(islice(left, len(weights.values))), state, rates[number])
        if self.task.bounds:
            (self._bound if self.moves else self.bounding)(self.no_rows)

    def _bound(self, _batch: Batch) -> Tensors:
        """Apply the constraints."""
        for bound in self.task.bounds:
            bound()
        return []

    def _tensors(self) -> Tensors:
        """The tensors that a step uses and changes, besides its batch."""
        states = chain.from_iterable(state.values() for state in self.states)
        values = chain.from_iterable(weights.values for weights in self.weights)
        moved = [*values, *chain.from_iterable(states)] if self.moves else []
        scales = self.task.objective.pairing.tensors()
        return [*self.task.network.parameters(), *self.task.network.buffers(), *scales, *moved]


def _weights(optimizer: Optimizer, parameters: Sequence[nn.Parameter], device: str) -> TrainedWeights:
    flat = device == "cpu" and optimizer.elementwise and FlatWeights.suits(parameters)
    return FlatWeights(parameters) if flat else TrainedWeights(parameters)
