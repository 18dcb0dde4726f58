"""One training step, in the order of the textbooks. speed/fast_step.py wraps it to make it fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import torch
from torch import nn

from dlrun.data.batches import Batch, Tensors
from dlrun.language.experiment import TrainSection
from dlrun.modules.private_torch import foreach_add_, foreach_mul
from dlrun.training.determinism import in_order
from dlrun.training.evaluation import measure_batch
from dlrun.training.objective import each
from dlrun.training.penalties import sum_of_penalties
from dlrun.training.task import Task


class TrainedWeights:
    """A group of weights that training moves."""

    def __init__(self, parameters: Sequence[nn.Parameter]):
        self.parameters = list(parameters)
        self.values = [parameter.data for parameter in self.parameters]
        """The tensors that the optimizer moves: the same memory, detached from autograd."""

    def laid_out(self, gradients: Sequence[torch.Tensor]) -> Tensors:
        """The gradient of each of `values`, from that of each parameter."""
        return [_laid_out_like(*pair) for pair in zip(gradients, self.parameters, strict=True)]


def gradients_of(loss: torch.Tensor, groups: Sequence[TrainedWeights]) -> Tensors:
    """The gradients for all groups, one after the other; 0 for a weight that the loss does not depend on."""
    parameters = [parameter for group in groups for parameter in group.parameters]
    left = iter(torch.autograd.grad(loss, parameters, materialize_grads=True, allow_unused=True))
    return [gradient for group in groups for gradient in group.laid_out(list(islice(left, len(group.parameters))))]


def step(
    task: Task, weights: Sequence[TrainedWeights], batch: Batch, move: Callable[[Tensors], Any]
) -> tuple[Tensors, Tensors]:
    """Train on one batch.

    Args:
        task: the network, its objective and its settings.
        weights: its trained weights, in groups.
        batch: the rows.
        move: changes the weights by their gradients: the optimizers' step, after which the constraints hold.

    Returns:
        The loss, its terms where there are several, and the penalty if there is one; each metric's partial result.
    """
    losses, metrics, gradients = backward(task, weights, batch)
    move(clip(gradients, task.settings))  # clip, move
    return losses, metrics


def backward(task: Task, weights: Sequence[TrainedWeights], batch: Batch) -> tuple[Tensors, Tensors, Tensors]:
    """What `step` returns of a batch, and the gradients, before they are clipped."""
    with in_order(task.in_order):
        outputs = task.forward(*batch.inputs)  # forward

        losses = task.minimised(outputs, batch)  # loss
        total = task.minimised.in_step(losses, batch)
        if task.penalized:
            none_yet = torch.zeros_like(total)  # until the weights that they act on are trained
            losses.append(penalty := sum_of_penalties(task.penalties, outputs, batch) if task.penalties else none_yet)
            total = total + penalty

        gradients = gradients_of(total, weights)  # gradient

    metrics = measure_batch(task.watched, task.objective.pairing, each(outputs, torch.Tensor.detach), batch)
    return [value.detach() for value in losses], metrics, gradients


class Mean:
    """The mean over the rows of several batches, of tensors that are means over the rows of one."""

    def __init__(self) -> None:
        self.values: Tensors = []

    def add(self, values: Tensors, share: float) -> None:
        """Add a batch with its share of all rows; its tensors are not changed."""
        if self.values:
            foreach_add_(self.values, values, alpha=share)
        else:
            self.values = list(foreach_mul(values, share))

    def take(self) -> Tensors:
        """The mean; the next batch begins another one."""
        values, self.values = self.values, []
        return values


def clip(gradients: Tensors, settings: TrainSection) -> Tensors:
    """The gradients within the bounds of the settings."""
    if settings.clip_grad_value is not None:
        largest = settings.clip_grad_value
        gradients = [gradient.clamp(-largest, largest) for gradient in gradients]
    if settings.clip_grad_norm is not None:
        gradients = clip_norm(gradients, settings.clip_grad_norm)
    return gradients


def clip_norm(gradients: Tensors, largest: float) -> Tensors:
    """The gradients, scaled down where their norm, taken together, is larger than `largest`: as torch does it."""
    factor = largest / (nn.utils.get_total_norm(gradients) + 1e-6)
    return list(foreach_mul(gradients, factor.clamp(max=1.0)))


def _laid_out_like(gradient: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A gradient with its numbers in the order of the weight's in memory, as optimizers' kernels take them."""
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight, requires_grad=False).copy_(gradient)
