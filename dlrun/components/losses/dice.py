from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import Compared, OutputForm
from dlrun.components.losses._classes import ClassesLoss, divisor, need_class_outputs, need_logits
from dlrun.language.fields import NonNegative
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    import torch


class Dice(ClassesLoss):
    """1 minus the overlap of the predicted probabilities with the right class, for a class at each of several positions
    of a row, such as every pixel; takes logits.

    It is no likelihood: a class counts the same however few positions it has, so small objects are not lost. `weight`
    makes some classes count more.

    Shape: as `cross_entropy` at positions. 1 - (2*sum(p*t) + smooth) / (sum(p) + sum(t) + smooth) over the positions of
        a row, where t is 1 at the positions of the class; the mean over the classes, and then over the rows
    Reference: Milletari, Navab and Ahmadi, V-Net, 2016; Sudre and others, Generalised Dice overlap, 2017.
    Example: dice
    """

    synonyms = ("dice_loss", "soft_dice")
    main = "smooth"
    by_row = True

    smooth: NonNegative = 1.0
    """Added above and below, so that a class that is nowhere in a row does not divide by 0."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        need_logits(self.kind, output_form)
        if not target:
            message = "dice is for a class at each of several positions of a row, and the target is one class a row"
            raise ShapeError(message, "use `cross_entropy`")
        need_class_outputs(self.kind, output, target, classes)

    def amount(self, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        return (target >= 0).flatten(1).any(1).sum().float()

    def mean(self, batch: Compared) -> torch.Tensor:
        import torch

        weight = batch.weight
        output = batch.output.movedim(1, -1) if batch.target.dim() > 2 else batch.output
        output, target = output.flatten(1, -2), batch.target.flatten(1)
        counts = (target >= 0)[:, :, None]
        chances = output.softmax(-1) * counts
        right = (target[:, :, None] == torch.arange(output.shape[-1], device=output.device)) * counts
        overlap = 2 * (chances * right).sum(1) + self.smooth
        each = 1 - overlap / (chances.sum(1) + right.sum(1) + self.smooth)
        if weight is None:
            return each.mean()
        of_class = torch.cat((weight, weight.new_ones(each.shape[1] - len(weight))))  # outputs that are no class have 1
        rows = (each * of_class).sum(1) / of_class.sum() * counts.any(1).squeeze(1)
        return rows.sum() / divisor(self.amount(target, weight))
