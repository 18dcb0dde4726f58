"""Optimizers: how the gradients move the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dlrun.language.component import Component
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch

Beta = Annotated[float, Field(ge=0, lt=1)]

OptimizerState = dict[str, list["torch.Tensor"]]
"""What an optimizer keeps: by name, a tensor for each weight."""


class Optimizer(Component):
    """One of torch's optimizers, with torch's names and defaults: torch's own kernels, all weights in a few calls.

    Around the same kernels torch.optim's classes take 0.1 ms of Python a step, and the first of them that is made
    imports torch's compiler, which takes longer than torch itself.
    """

    family: ClassVar[str] = "optimizers"
    fused: ClassVar[bool]
    """Whether a step is one of torch's kernels; else it is a few that do simple things, which can be captured."""

    lr: PositiveFloat
    """The learning rate."""

    def state_per_weight(self) -> int:
        """How many numbers it keeps for each trained weight."""
        raise NotImplementedError

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        """What it keeps before the first step."""
        raise NotImplementedError

    def step(self, weights: list[torch.Tensor], grads: list[torch.Tensor], state: OptimizerState, lr: float) -> None:
        """Move the weights, and what is kept of them, in place; without autograd.

        Args:
            weights: what is trained.
            grads: the gradient of each.
            state: what `begin` and the steps so far have made.
            lr: the learning rate of this step.
        """
        raise NotImplementedError


def zeros(weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """As many numbers as each weight has, laid out in memory as it is, which the kernels take for granted."""
    import torch

    return [torch.zeros_like(weight, requires_grad=False) for weight in weights]
