"""One training step, in the order of the textbooks. speed/fast_step.py wraps it to make it fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from dlrun.data.batches import Batch, Tensors
from dlrun.modules.private_torch import foreach_mul
from dlrun.training.evaluation import measure_batch
from dlrun.training.objective import each
from dlrun.training.penalties import sum_of_penalties
from dlrun.training.task import Task


class TrainedWeights:
    """The weights that training moves."""

    def __init__(self, parameters: Sequence[nn.Parameter]):
        self.parameters = list(parameters)
        self.values = [parameter.data for parameter in self.parameters]
        """The tensors that the optimizer moves: the same memory, detached from autograd."""

    def gradients(self, loss: torch.Tensor) -> Tensors:
        """The gradient of each of `values`; 0 for a weight that the loss does not depend on."""
        return [_laid_out_like(*pair) for pair in zip(self._gradients(loss), self.parameters, strict=True)]

    def _gradients(self, loss: torch.Tensor) -> Sequence[torch.Tensor]:
        return torch.autograd.grad(loss, self.parameters, materialize_grads=True, allow_unused=True)


def step(task: Task, weights: TrainedWeights, batch: Batch, move: Callable[[Tensors], Any]) -> tuple[Tensors, Tensors]:
    """Train on one batch.

    Args:
        task: the network, its objective and its settings.
        weights: its trained weights.
        batch: the rows.
        move: changes the weights by their gradients: the optimizer's step, after which the constraints hold.

    Returns:
        The loss, its terms where there are several, and the penalty if there is one; each metric's partial result.
    """
    outputs = task.forward(*batch.inputs)  # forward

    losses = task.objective(outputs, batch)  # loss
    total = losses[0]
    if task.penalties:
        losses.append(penalty := sum_of_penalties(task.penalties, outputs, batch))
        total = total + penalty

    gradients = weights.gradients(total)  # gradient

    if task.settings.clip_grad_norm is not None:  # clip
        gradients = clip(gradients, task.settings.clip_grad_norm)

    move(gradients)  # move

    metrics = measure_batch(task.watched, task.objective.pairing, each(outputs, torch.Tensor.detach), batch)
    return [value.detach() for value in losses], metrics


def clip(gradients: Tensors, max_norm: float) -> Tensors:
    """The gradients, scaled down where their norm, taken together, is larger than `max_norm`: as torch does it."""
    factor = max_norm / (nn.utils.get_total_norm(gradients) + 1e-6)
    return list(foreach_mul(gradients, factor.clamp(max=1.0)))


def _laid_out_like(gradient: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A gradient with its numbers in the order of the weight's in memory, as optimizers' kernels take them."""
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight, requires_grad=False).copy_(gradient)
