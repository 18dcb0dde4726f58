from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.losses import OutputForm
from dlrun.components.losses._binary import MarginLoss, signs
from dlrun.language.fields import NonNegative, Share
from dlrun.shapes import Range, Shape

if TYPE_CHECKING:
    import torch


class BinaryFocal(MarginLoss):
    """`binary_cross_entropy` of logits in which rows that are predicted well count little.

    With `gamma: 0` it is minus the log likelihood of a Bernoulli distribution; a larger `gamma` is no likelihood.

    Shape: output (1,), target 0 or 1 (or as many as outputs). -a*(1 - p)**gamma * log(p), with p the probability of the
        correct label, and a = alpha where the target is 1, 1 - alpha where it is 0, 1 without `alpha`
    Reference: Lin, Goyal, Girshick, He and Dollár, Focal loss for dense object detection, 2017.
    Example: binary_focal: {gamma: 2, alpha: 0.25}
    """

    synonyms = ("sigmoid_focal_loss", "binary_focal_crossentropy", "binary_focal_loss")
    main = "gamma"
    of_probabilities = True

    gamma: NonNegative = 2.0
    """How little the rows count that are predicted well."""
    alpha: Share | None = None
    """The weight of the target 1; that of 0 is 1 - alpha."""

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        low, high = (0.5 + 0.5 * math.tanh(0.5 * end) for end in taken)
        return low, high

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        margin = signs(target) * output  # the logit of the correct label
        losses = (-margin).sigmoid() ** self.gamma * functional.softplus(-margin)
        if self.alpha is not None:
            losses = losses * (self.alpha * target + (1 - self.alpha) * (1 - target))
        return losses.mean()
