"""The fast form of a step: groups of few weights become flat, and the computation is captured."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain, islice

import torch
from torch import nn

from dlrun.components.optimizers import Optimizer, OptimizerState, SearchingOptimizer
from dlrun.data.batches import Batch, Tensors
from dlrun.training.schedules import Moves
from dlrun.training.speed.capture import Repeated, SavedState, can_capture
from dlrun.training.speed.flat_weights import FlatWeights
from dlrun.training.step import Mean, TrainedWeights, backward, clip, step
from dlrun.training.task import Task


class FastStep:
    """Does the same as `step`, to the bit, with captured code where that is faster."""

    def __init__(self, task: Task):
        self.task = task
        device = task.device.type
        parts = [(number, False, group.parameters) for number, group in enumerate(task.groups)]
        if task.unfreezing is None:
            parts += [(number, True, group.late) for number, group in enumerate(task.groups)]
        parts = [part for part in parts if part[-1]]
        self.owners = [number for number, _, _ in parts]
        """For each part of the weights the number of its group; weights that begin later are a part of their own."""
        self.counted_with = _counted_once(task, [(number, late) for number, late, _ in parts])
        """For each part the first part whose steps are counted as its own."""
        self.weights = [_weights(task.groups[number].optimizer, parameters, device) for number, _, parameters in parts]
        self.states = [
            task.groups[number].optimizer.begin(weights.values)
            for number, weights in zip(self.owners, self.weights, strict=True)
        ]
        """The optimizer's state for each part."""
        self.resume(self.states)
        self.losses = task.losses
        """How many losses a step returns."""
        self.gradients = sum(len(weights.values) for weights in self.weights)
        """How many gradients the optimizers take."""
        self.accumulates = task.settings.accumulate > 1
        """Whether a step has several batches, of which each is captured by itself."""
        self.mean = Mean()
        """The gradients of the step's batches so far."""
        parameters = [parameter for _, _, some in parts for parameter in some]
        self.captures = can_capture(device, sum(parameter.numel() for parameter in parameters))
        """Whether steps are captured, and validation too."""
        movable = device != "cpu" or not any(group.optimizer.fused for group in task.groups)
        constant = all(one.number.group is None for one in task.changing.scheduled)
        self.searches = any(isinstance(group.optimizer, SearchingOptimizer) for group in task.groups)
        """Whether the loss is computed at several weights before they move."""
        self.moves = self.captures and movable and constant and not self.accumulates and not self.searches
        """Whether the optimizers' step is captured too: its settings must be constant and its kernels recordable."""
        self.repeated = Repeated(self._compute, self._tensors, self.captures)
        self.bounding = Repeated(self._bound, lambda: [*parameters], self.captures)
        """The constraints, where the optimizer's step before them is not captured."""
        self.no_rows = Batch((torch.zeros(1, device=task.device),), {})

    def __call__(self, batch: Batch, moves: Moves, share: float = 1.0) -> tuple[Tensors, Tensors]:
        """Take a step on a batch, together with the batches that `accumulate` has added up.

        Args:
            batch: the rows.
            moves: how each group of weights moves.
            share: the batch's share of the step's rows.

        Returns:
            The losses as `step` returns them, and each metric's partial result, for the batch.
        """
        if self.searches:
            return self._search(batch, moves)
        results = self.repeated(batch)
        losses, metrics = results[: self.losses], results[self.losses :]
        if not self.moves:
            metrics, gradients = metrics[: -self.gradients], metrics[-self.gradients :]
            if self.accumulates:
                self.mean.add(gradients, share)
                gradients = clip(self.mean.take(), self.task.settings)
            self._move(gradients, moves)
        return losses, metrics

    def accumulate(self, batch: Batch, share: float) -> tuple[Tensors, Tensors]:
        """Add a batch to the step that the next ones complete; returns the same as a call."""
        results = self.repeated(batch)
        self.mean.add(results[-self.gradients :], share)
        return results[: self.losses], results[self.losses : -self.gradients]

    def _search(self, batch: Batch, moves: Moves) -> tuple[Tensors, Tensors]:
        """Take a step with an optimizer that compares the loss at several weights.

        All are for the same rows, random numbers and statistics. What is returned is for the first weights, and the
        moving statistics move once, by these.
        """
        buffers, device = [*self.task.network.buffers()], self.task.device
        before = SavedState(buffers, device)
        results = self.repeated(batch)
        after = SavedState(buffers, device)

        def evaluate() -> tuple[torch.Tensor, torch.Tensor]:
            before.restore()
            return self._loss_and_gradient(self.repeated(batch))

        ((optimizer, lr),), (weights,), (state,) = moves, self.weights, self.states
        assert isinstance(optimizer, SearchingOptimizer)
        optimizer.search(weights.values[0], *self._loss_and_gradient(results), state, lr, evaluate)
        after.restore()
        return results[: self.losses], results[self.losses : -1]

    def _loss_and_gradient(self, results: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss, with the penalty if there is one, and its gradient, of the results for flat weights."""
        loss = results[0] + results[self.losses - 1] if self.task.penalized else results[0]
        return loss, results[-1]

    def resume(self, states: list[OptimizerState]) -> None:
        """Continue from the optimizers' states in a checkpoint. Parts that are counted once have one count."""
        self.states = states
        for owner, first, state in zip(self.owners, self.counted_with, states, strict=True):
            counts = self.task.groups[owner].optimizer.counts
            state.update({name: tensors for name, tensors in states[first].items() if name in counts})

    def _compute(self, batch: Batch) -> Tensors:
        """The part to capture: the whole step, or all but the optimizers' step, with the gradients as results.

        Gradients that are yet to be averaged are not clipped.
        """
        if self.accumulates:
            losses, metrics, left = backward(self.task, self.weights, batch)
            return [*losses, *metrics, *left]
        gradients: Tensors = []
        losses, metrics = step(self.task, self.weights, batch, self._move if self.moves else gradients.extend)
        return [*losses, *metrics, *gradients]

    def _move(self, gradients: Tensors, moves: Moves | None = None) -> None:
        """The optimizers' step, by default as they are written; then the constraints hold again."""
        left = iter(gradients)
        moves = moves or [(group.optimizer, group.optimizer.lr) for group in self.task.groups]
        numbers: dict[int, Tensors] = {}
        for place, (number, weights, state) in enumerate(zip(self.owners, self.weights, self.states, strict=True)):
            optimizer, lr = moves[number]
            if (first := self.counted_with[place]) == place:
                numbers[place] = optimizer.count(state)
            optimizer.step(weights.values, list(islice(left, len(weights.values))), state, lr, numbers[first])
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
        scales = [*self.task.objective.tensors(), *self.task.minimised.tensors()]
        held = [tensor for tensor in self.task.changing.tensors if tensor is not None]
        return [*self.task.computed.parameters(), *self.task.computed.buffers(), *scales, *held, *moved]


def _counted_once(task: Task, parts: Sequence[tuple[int, bool]]) -> list[int]:
    """For each part, of a group's number and whether it begins late, the first part whose steps are counted as its own.

    Both begin in the same step, and the settings by which their optimizers count are the same in all steps.
    """
    firsts: dict[Hashable, int] = {}
    numbers = [one.number for one in task.changing.scheduled]
    changing = {(number.group, number.setting.partition(".")[0]) for number in numbers}
    found = []
    for place, (group, late) in enumerate(parts):
        optimizer = task.groups[group].optimizer
        settings = tuple((name, getattr(optimizer, name)) for name in optimizer.counted_by)
        alone = any((group, name) in changing for name in optimizer.counted_by)
        found.append(place if alone else firsts.setdefault((type(optimizer), settings, late), place))
    return found


def _weights(optimizer: Optimizer, parameters: Sequence[nn.Parameter], device: str) -> TrainedWeights:
    fast = device == "cpu" and optimizer.elementwise and FlatWeights.suits(parameters)
    flat = fast or isinstance(optimizer, SearchingOptimizer)
    return FlatWeights(parameters) if flat else TrainedWeights(parameters)
