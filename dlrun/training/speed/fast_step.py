"""The fast form of a step: a small network gets flat weights, and the computation is captured."""

from __future__ import annotations

from itertools import chain

from dlrun.components.optimizers import OptimizerState
from dlrun.data.batches import Batch, Tensors
from dlrun.training.speed.capture import Repeated, can_capture
from dlrun.training.speed.flat_weights import FlatWeights
from dlrun.training.step import TrainedWeights, step
from dlrun.training.task import Task


class FastStep:
    """Does the same as `step`, to the bit, with captured code where that is faster."""

    def __init__(self, task: Task):
        self.task = task
        parameters = [parameter for parameter in task.network.parameters() if parameter.requires_grad]
        device = task.device.type
        flat = device == "cpu" and task.optimizer.elementwise and FlatWeights.suits(parameters)
        self.weights = FlatWeights(parameters) if flat else TrainedWeights(parameters)
        self.state: OptimizerState = task.optimizer.begin(self.weights.values)
        self.losses = task.losses
        """How many losses a step returns."""
        self.captures = can_capture(device, sum(parameter.numel() for parameter in parameters))
        """Whether steps are captured, and validation too."""
        movable = device != "cpu" or (flat and not task.optimizer.fused)
        self.moves = self.captures and movable and task.schedule is None
        """Whether the optimizer's step is captured too: its rate must be constant and its kernels recordable."""
        self.repeated = Repeated(self._compute, self._tensors, self.captures)

    def __call__(self, batch: Batch, rate: float) -> tuple[Tensors, Tensors]:
        """Take a step at a learning rate; returns what `step` does."""
        results = self.repeated(batch)
        if not self.moves:
            count = len(self.weights.values)
            self._move(results[-count:], rate)
            results = results[:-count]
        return results[: self.losses], results[self.losses :]

    def resume(self, state: OptimizerState) -> None:
        """Continue from the optimizer's state in a checkpoint."""
        self.state = state

    def _compute(self, batch: Batch) -> Tensors:
        """The part to capture: the whole step, or all but the optimizer's step, with the gradients as results."""
        gradients: Tensors = []
        losses, metrics = step(self.task, self.weights, batch, self._move if self.moves else gradients.extend)
        return [*losses, *metrics, *gradients]

    def _move(self, gradients: Tensors, rate: float | None = None) -> None:
        """The optimizer's step, by default at the optimizer's own rate."""
        optimizer = self.task.optimizer
        optimizer.step(self.weights.values, gradients, self.state, optimizer.lr if rate is None else rate)

    def _tensors(self) -> Tensors:
        """The tensors that a step uses and changes, besides its batch."""
        moved = [*self.weights.values, *chain(*self.state.values())] if self.moves else []
        scales = self.task.objective.pairing.tensors()
        return [*self.task.network.parameters(), *self.task.network.buffers(), *scales, *moved]
