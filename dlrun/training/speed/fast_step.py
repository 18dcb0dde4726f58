"""The step of one training, made fast: small networks have flat weights, and what repeats is captured."""

from __future__ import annotations

from itertools import chain

from dlrun.components.optimizers import OptimizerState
from dlrun.data.batches import Batch, Tensors
from dlrun.training.speed.capture import Repeated, can_capture
from dlrun.training.speed.flat_weights import FlatWeights
from dlrun.training.step import TrainedWeights, step
from dlrun.training.task import Task


class FastStep:
    """Takes steps to the same bits as `step` alone, from captured code where that is worth it."""

    def __init__(self, task: Task):
        self.task = task
        parameters = [parameter for parameter in task.network.parameters() if parameter.requires_grad]
        device = task.device.type
        flat = device == "cpu" and FlatWeights.suits(parameters)
        self.weights = FlatWeights(parameters) if flat else TrainedWeights(parameters)
        self.state: OptimizerState = task.optimizer.begin(self.weights.values)
        self.losses = task.losses
        """How many losses a step returns."""
        self.captures = can_capture(device, sum(parameter.numel() for parameter in parameters))
        """Whether a step is captured, and so validation."""
        movable = device != "cpu" or (flat and not task.optimizer.fused)
        self.moves = self.captures and movable and task.schedule is None
        """Whether moving the weights is captured too: at one rate in every step, in calls that can be captured."""
        self.repeated = Repeated(self._computed, self._held, self.captures)

    def __call__(self, batch: Batch, rate: float) -> tuple[Tensors, Tensors]:
        """Take a step at a learning rate; returns what `step` does."""
        results = self.repeated(batch)
        if not self.moves:
            count = len(self.weights.values)
            self._move(results[-count:], rate)
            results = results[:-count]
        return results[: self.losses], results[self.losses :]

    def resume(self, state: OptimizerState) -> None:
        """Go on from what the optimizer kept in another process."""
        self.state = state

    def _computed(self, batch: Batch) -> Tensors:
        """What is captured: the whole step, or all of it but the last line, which then has the gradients."""
        gradients: Tensors = []
        losses, metrics = step(self.task, self.weights, batch, self._move if self.moves else gradients.extend)
        return [*losses, *metrics, *gradients]

    def _move(self, gradients: Tensors, rate: float | None = None) -> None:
        """The optimizer's step; without a rate at the optimizer's own, which no schedule changes then."""
        optimizer = self.task.optimizer
        optimizer.step(self.weights.values, gradients, self.state, optimizer.lr if rate is None else rate)

    def _held(self) -> Tensors:
        """What a step uses and changes besides its batch."""
        moved = [*self.weights.values, *chain(*self.state.values())] if self.moves else []
        return [*self.task.network.parameters(), *self.task.network.buffers(), *moved]
