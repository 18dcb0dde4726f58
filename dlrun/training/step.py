"""One step: the losses of a batch, their gradients, the weights moved by them, and what the metrics measure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dlrun.data.prepare import Batch
from dlrun.modules.private_torch import foreach_mul
from dlrun.training.evaluation import measures
from dlrun.training.objective import each
from dlrun.training.speed.capture import Repeated, can_capture
from dlrun.training.speed.flat_weights import FlatWeights
from dlrun.training.speed.recording import Tensors

if TYPE_CHECKING:
    from dlrun.training.loop import Task


class Stepper:
    """Computes steps, from captured code where that is worth it."""

    def __init__(self, task: Task):
        self.task = task
        self.weights = [weight for weight in task.network.parameters() if weight.requires_grad]
        device = task.data.train.inputs[0].device.type
        self.flat = FlatWeights(self.weights) if device == "cpu" and FlatWeights.suits(self.weights) else None
        self.moved = [weight.data for weight in self.weights] if self.flat is None else [self.flat.whole]
        """What the optimizer moves: the same memory without a thought of gradients."""
        self.state = task.optimizer.begin(self.moved)
        self.rate: float = task.optimizer.lr
        self.losses = len(task.objective.names) + 1 + bool(task.penalties)
        """How many losses a step gives."""
        self.captures = can_capture(device, sum(weight.numel() for weight in self.weights))
        """Whether a step is captured, and so validation."""
        movable = device != "cpu" or (self.flat is not None and not task.optimizer.fused)
        self.moves = self.captures and movable and task.schedule is None
        """Whether moving the weights is captured too: by the same numbers in every step, in calls that can be."""
        self.repeated = Repeated(self._computed, self._held, self.captures)

    def __call__(self, batch: Batch) -> tuple[Tensors, Tensors]:
        """Move the weights.

        Returns:
            The loss, its terms where there are several, and the penalty where there is one; what each metric measures.
        """
        results = self.repeated(batch)
        if not self.moves:
            results = self._moved_by(results)
        return results[: self.losses], results[self.losses :]

    def _held(self) -> Tensors:
        moved = [*self.moved, *chain(*self.state.values())] if self.moves else []
        return [*self.task.network.parameters(), *self.task.network.buffers(), *moved]

    def _computed(self, batch: Batch) -> Tensors:
        """What is captured."""
        results = self._compute(batch)
        return self._moved_by(results) if self.moves else results

    def _moved_by(self, results: Tensors) -> Tensors:
        """Move the weights by the gradients among the results; gives the rest."""
        count = len(self.moved)
        self._move(results[-count:])
        return results[:-count]

    def _compute(self, batch: Batch) -> Tensors:
        """The losses of a batch, what the metrics measure, and the gradient of each of `moved`."""
        task = self.task
        outputs = task.forward(*batch.inputs)
        found = task.objective(outputs, batch)
        total, penalty = found[0], penalize(task.penalties)
        if penalty is not None:
            found, total = [*found, penalty], total + penalty
        grads = torch.autograd.grad(total, self.weights, materialize_grads=True, allow_unused=True)
        measured = measures(task.watched, task.objective.pairing, each(outputs, torch.Tensor.detach), batch)
        if self.flat is not None:
            moving = [torch.cat([grad.reshape(-1) for grad in grads])]
        else:
            moving = [_laid_out_like(*pair) for pair in zip(grads, self.weights, strict=True)]
        return [*(value.detach() for value in found), *measured, *moving]

    def _move(self, grads: Tensors) -> None:
        most = self.task.settings.clip_grad_norm
        if most is not None:
            grads = _clipped(grads, most)
        self.task.optimizer.step(self.moved, grads, self.state, self.rate)


def _clipped(grads: Tensors, most: float) -> Tensors:
    """The gradients, made smaller where their norm, taken together, is larger than `most`: as torch does it."""
    factor = most / (nn.utils.get_total_norm(grads) + 1e-6)
    return list(foreach_mul(grads, factor.clamp(max=1.0)))


def _laid_out_like(grad: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A gradient with its numbers in the order of the weight's, as optimizers' kernels take them."""
    return grad if grad.stride() == weight.stride() else torch.empty_like(weight, requires_grad=False).copy_(grad)


def penalize(penalties: Sequence[tuple[Any, list[nn.Parameter]]]) -> torch.Tensor | None:
    """The sum of all penalties on the weights as they are."""
    total: torch.Tensor | None = None
    for regularizer, weights in penalties:
        penalty = regularizer.penalty(weights)
        total = penalty if total is None else total + penalty
    return total
