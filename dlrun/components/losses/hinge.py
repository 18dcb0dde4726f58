from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._binary import MarginLoss, signs

if TYPE_CHECKING:
    import torch


class Hinge(MarginLoss):
    """The distance of a score from the margin 1 on its own side of 0: the loss of support vector machines.

    It is no likelihood: it is 0 once a score is beyond the margin, so probabilities cannot be read from the scores.

    Shape: output (1,), target 0 or 1 (or as many as outputs), as s = -1 or 1. mean(max(0, 1 - s*x))
    Reference: Cortes and Vapnik, Support-vector networks, 1995.
    Example: hinge
    """

    synonyms = ("hinge_loss", "svm")

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (1 - signs(target) * output).clamp(min=0).mean()
