"""Optimizers: how gradients change the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dlrun.language.component import Component, SomeOf
from dlrun.language.fields import Names, PositiveFloat
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch

LR = "lr"
"""The name of the learning rate among the settings."""
Beta = Annotated[float, Field(ge=0, lt=1)]

Tensors = list["torch.Tensor"]
OptimizerState = dict[str, Tensors]
"""The state of an optimizer: under each name, a tensor for each weight, or one number for all weights."""
Evaluate = Callable[[], tuple["torch.Tensor", "torch.Tensor"]]
"""Gives the loss, with the penalties, and its gradient, of the rows of a step at the weights as they are now."""


class Optimizer(Component):
    """One of torch's optimizers, with torch's names and defaults. It calls torch's kernels, for all weights at once.

    torch.optim's classes call the same kernels, but take 0.1 ms of Python for each step, and the first one that is
    built imports torch's compiler, which takes longer than importing torch itself.
    """

    family: ClassVar[str] = "optimizers"
    main: ClassVar[str | None] = LR
    fused: ClassVar[bool] = False
    """Whether a step is a single kernel of torch; else it is a few simple operations, which can be captured."""
    elementwise: ClassVar[bool] = True
    """Whether each number moves by itself, so that many weights may be one flat tensor."""
    takes: ClassVar[str] = "any weights"
    """What it moves, in words."""
    fixed: ClassVar[tuple[str, ...]] = ()
    """The numbers among its settings that only the first step reads."""
    counts: ClassVar[tuple[str, ...]] = ()
    """The names in its state of the numbers that `count` changes."""
    counted_by: ClassVar[tuple[str, ...]] = ()
    """The settings that `count` reads. Groups of weights for which these are the same are counted once for all."""

    lr: PositiveFloat
    """The learning rate."""
    weights: Names | None = None
    """The weights that it moves: patterns (`*` and `?`) of names of weights, or of layers, which include all weights
    inside; all that no optimizer before it in the list moves unless given."""
    schedule: Annotated[Component | tuple[Component, ...], SomeOf("schedules")] | None = None
    """How its learning rate and other settings change, one schedule or several; as the spec's `schedule` says unless
    given."""

    def changeable(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, float) and name not in self.fixed:
                found[name] = value
            elif isinstance(value, tuple):
                found |= {f"{name}.{n}": entry for n, entry in enumerate(value) if isinstance(entry, float)}
        return found

    def suits(self, shape: Shape) -> bool:
        """Whether a weight of this shape can be moved."""
        return True

    def state_per_weight(self) -> int:
        """How many numbers are kept for each trained number."""
        raise NotImplementedError

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        """The state before the first step."""
        raise NotImplementedError

    def count(self, state: OptimizerState) -> Tensors:
        """Count a step, in place; the numbers of this step that are the same for all weights."""
        return []

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        """Change the weights and the state in place, without autograd.

        Args:
            weights: the trained weights.
            grads: the gradient of each weight.
            state: the state from `begin` and the steps so far.
            lr: the learning rate of this step.
            numbers: what `count` gave for this step.
        """
        raise NotImplementedError


class SearchingOptimizer(Optimizer):
    """An optimizer that compares the loss at several weights, for the same rows, before it moves.

    It learns from the differences between the gradients of its steps, so each step has the same rows: all of them. It
    moves all weights, as one vector, and is the only optimizer. What it does depends on values, so a step reads some
    back from the device, and is not captured; the computation of the loss and the gradient is.
    """

    elementwise = False

    def search(
        self,
        weights: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: OptimizerState,
        lr: float,
        evaluate: Evaluate,
    ) -> None:
        """Change the weights and the state in place, without autograd; in place of `step`.

        Args:
            weights: all trained weights, (n,).
            loss: the loss at these weights.
            gradient: its gradient, (n,).
            state: the state from `begin` and the steps so far.
            lr: the learning rate of this step.
            evaluate: gives both for other weights, once `weights` has been changed.
        """
        raise NotImplementedError


def zeros(weights: Sequence[torch.Tensor]) -> Tensors:
    """Zeros of the shape and memory layout of each weight, which the kernels rely on."""
    import torch

    return [torch.zeros_like(weight, requires_grad=False) for weight in weights]


def number(weights: Sequence[torch.Tensor], value: float = 0.0) -> Tensors:
    """One number for all weights, on their device.

    It is a tensor, so that a step that counts can be captured, and float64: what follows from the number of steps, such
    as 1 - 0.999**t, would lose digits in float32.
    """
    import torch

    return [torch.full((), value, dtype=torch.float64, device=weights[0].device)]


def rounded(numbers: Sequence[torch.Tensor], like: Tensors) -> Tensors:
    """Numbers from `count` as the type of the weights, once and not in each operator that takes them."""
    return [one.to(like[0].dtype) for one in numbers]
