from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._binary import MarginLoss, signs

if TYPE_CHECKING:
    import torch


class SquaredHinge(MarginLoss):
    """The squared distance of a score from the margin 1 on its own side of 0; unlike `hinge`, it has a gradient
    everywhere.

    It is no likelihood: it is 0 once a score is beyond the margin.

    Shape: output (1,), target 0 or 1 (or as many as outputs), as s = -1 or 1. mean(max(0, 1 - s*x)**2)
    Reference: Tang, Deep learning using linear support vector machines, 2013.
    Example: squared_hinge
    """

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (1 - signs(target) * output).clamp(min=0).square().mean()
