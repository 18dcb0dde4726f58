from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import OutputForm
from dlrun.components.losses._binary import MarginLoss, signs
from dlrun.shapes import Range, Shape

if TYPE_CHECKING:
    import torch


class Perceptron(MarginLoss):
    """How far a score is on the wrong side of 0: gradient descent on it, row by row, is the perceptron's rule.

    It is no likelihood: rows on the right side have no part in it.

    Shape: output (1,), target 0 or 1 (or as many as outputs), as s = -1 or 1. mean(max(0, -s*x))
    Reference: Rosenblatt, The perceptron, 1958; Bishop, Pattern Recognition and Machine Learning, 2006, section 4.1.7.
    Example: perceptron
    """

    synonyms = ("perceptron_loss", "perceptron_criterion")

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        # A score of 0 is no mistake.
        return (0.0 if taken[0] <= 0 else 1.0), (1.0 if taken[1] >= 0 else 0.0)

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (-signs(target) * output).clamp(min=0).mean()
