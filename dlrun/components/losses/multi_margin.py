from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import OutputForm
from dlrun.components.losses._classes import ClassesLoss, need_class_outputs
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Range, Shape, ShapeError

if TYPE_CHECKING:
    import torch


class MultiMargin(ClassesLoss):
    """How far the score of the right class is from being `margin` above each other one: `hinge` for more classes.

    It is no likelihood: it is 0 once the right class is that far above.

    Shape: as `cross_entropy`. sum over c != y of max(0, margin - x[y] + x[c]), divided by the classes
    Reference: Crammer and Singer, On the algorithmic implementation of multiclass kernel-based vector machines, 2001;
        the sum over all classes, as here, is that of Weston and Watkins, 1999.
    Example: multi_margin
    """

    synonyms = ("multi_margin_loss", "categorical_hinge", "multiclass_hinge")
    main = "margin"

    margin: PositiveFloat = 1.0
    """How far the score of the right class is to be above the others."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form:
            last = {"distribution": "softmax", "log_distribution": "log_softmax"}.get(output_form, "sigmoid")
            raise ShapeError("multi_margin takes scores, which may be any numbers", f"remove the final `{last}`")
        need_class_outputs(self.kind, output, target, classes)

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        # The right class is sure where it can be above the others by the margin.
        return (0.0, 1.0) if taken[1] - taken[0] >= self.margin else (0.5, 0.5)

    def rows(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if target.is_floating_point():  # of mixed targets: the losses of the classes by their shares
            each = (self.margin - output[:, :, None] + output[:, None, :]).clamp(min=0).mean(2)
            return ((each - self.margin / output.shape[1]) * target).sum(1)
        right = output.gather(1, target[:, None])
        # The right class itself adds the margin, which is taken away again.
        return (self.margin - right + output).clamp(min=0).mean(1) - self.margin / output.shape[1]
