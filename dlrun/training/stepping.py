"""One step: the losses of a batch, their gradients, and the weights moved by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dlrun.data.prepare import Batch
from dlrun.training.capture import Captured, can_capture, capture
from dlrun.training.flat import Flat
from dlrun.training.objective import Outputs

if TYPE_CHECKING:
    from dlrun.training.loop import Task

AFTER = 20
"""Steps of a size after which one is captured: it takes about their time, so that a short run loses none by it."""


class Stepper:
    """Computes steps; with a small network on a processor the whole of a step's arithmetic is captured."""

    def __init__(self, task: Task):
        self.task = task
        self.weights = [weight for weight in task.network.parameters() if weight.requires_grad]
        on_processor = all(weight.device.type == "cpu" for weight in self.weights)
        self.flat = Flat(self.weights) if on_processor and Flat.suits(self.weights) else None
        self.moved = self.weights if self.flat is None else [self.flat.whole]
        self.optimizer = task.optimizer.build(self.moved)
        self.rate = self.optimizer.param_groups[0]["lr"]
        self.may_capture = self.flat is not None and can_capture()
        self.seen: Counter[int] = Counter()
        """How many batches of each size have come."""
        self.captured: dict[int, Captured | None] = {}
        """The code for each size of batch; None where there can be none."""
        self.names: tuple[str, ...] | None = None
        """The outputs that the captured step gives, where they have names."""

    def __call__(self, batch: Batch) -> tuple[list[torch.Tensor], Outputs]:
        """Move the weights; gives the loss, its terms and its penalty, and the outputs, none with a graph behind it."""
        found, outputs = self._compute(batch)
        if self.task.settings.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.moved, self.task.settings.clip_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return found, outputs

    def set_rate(self, rate: float) -> None:
        """The learning rate from the next step on."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _compute(self, batch: Batch) -> tuple[list[torch.Tensor], Outputs]:
        """The losses and outputs of a batch, with every gradient in its place."""
        rows = len(batch)
        code = self.captured.get(rows)
        if code is not None:
            return self._sorted(code(*self._given(batch)))
        self.seen[rows] += 1
        if self.may_capture and rows not in self.captured and self.seen[rows] > AFTER:
            arithmetic, given = self._arithmetic(batch), self._given(batch)
            results, self.captured[rows] = capture(arithmetic, given, self.task.network)
            return self._sorted(results)
        found, outputs = self._forward(batch)
        self._total(found).backward()
        if self.flat is not None:
            self.flat.gather()
        return [value.detach() for value in found], _detached(outputs)

    def _given(self, batch: Batch) -> list[torch.Tensor]:
        return [*self.weights, *batch.inputs, *batch.targets.values()]

    def _forward(self, batch: Batch) -> tuple[list[torch.Tensor], Outputs]:
        outputs = self.task.network(*batch.inputs)
        found = self.task.objective(outputs, batch)
        penalty = penalize(self.task.penalties)
        return found if penalty is None else [*found, penalty], outputs

    def _total(self, found: list[torch.Tensor]) -> torch.Tensor:
        return found[0] + found[-1] if self.task.penalties else found[0]

    def _arithmetic(self, like: Batch) -> Any:
        """A step from the weights and a batch to one gradient, the losses and the outputs, in a list."""

        def arithmetic(*inputs: torch.Tensor) -> list[torch.Tensor]:
            given = inputs[len(self.weights) :]
            targets = dict(zip(like.targets, given[len(like.inputs) :], strict=True))
            found, outputs = self._forward(Batch(tuple(given[: len(like.inputs)]), targets))
            grads = torch.autograd.grad(self._total(found), self.weights, materialize_grads=True, allow_unused=True)
            self.names = tuple(outputs) if isinstance(outputs, dict) else None
            values = list(outputs.values()) if isinstance(outputs, dict) else [outputs]
            whole = torch.cat([grad.reshape(-1) for grad in grads])
            return [whole, *(value.detach() for value in (*found, *values))]

        return arithmetic

    def _sorted(self, results: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], Outputs]:
        """What `_arithmetic` gives: the gradient where it belongs, the losses, and the outputs."""
        assert self.flat is not None
        count = len(self.names) if self.names is not None else 1
        whole, found, values = results[0], list(results[1:-count]), results[-count:]
        self.flat.whole.grad = whole
        return found, dict(zip(self.names, values, strict=True)) if self.names is not None else values[0]


def penalize(penalties: Sequence[tuple[Any, list[nn.Parameter]]]) -> torch.Tensor | None:
    """The sum of all penalties on the weights as they are."""
    total: torch.Tensor | None = None
    for regularizer, weights in penalties:
        penalty = regularizer.penalty(weights)
        total = penalty if total is None else total + penalty
    return total


def _detached(outputs: Outputs) -> Outputs:
    if isinstance(outputs, dict):
        return {name: value.detach() for name, value in outputs.items()}
    return outputs.detach()
