from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import OutputForm
from dlrun.components.losses._classes import ClassesLoss, need_class_outputs, need_logits, range_of_softmax
from dlrun.language.fields import NonNegative
from dlrun.shapes import Range, Shape

if TYPE_CHECKING:
    import torch


class Focal(ClassesLoss):
    """`cross_entropy` in which rows that are predicted well count little; takes logits.

    With `gamma: 0` it is minus the log likelihood of a categorical distribution; a larger `gamma` is no likelihood.

    Shape: as `cross_entropy`. -(1 - p)**gamma * log(p), with p = exp(x[y]) / sum(exp(x))
    Reference: Lin, Goyal, Girshick, He and Dollár, Focal loss for dense object detection, 2017.
    Example: focal: 2
    """

    synonyms = ("focal_loss", "categorical_focal_crossentropy")
    main = "gamma"
    of_probabilities = True

    gamma: NonNegative = 2.0
    """How little the rows count that are predicted well."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        need_logits(self.kind, output_form)
        need_class_outputs(self.kind, output, target, classes)

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        return range_of_softmax(output[0], taken)

    def rows(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        logs = output.log_softmax(1)
        losses = -logs * (1 - logs.exp()).clamp(min=0) ** self.gamma
        if target.is_floating_point():
            return (losses * target).sum(1)
        return losses.gather(1, target[:, None]).squeeze(1)
