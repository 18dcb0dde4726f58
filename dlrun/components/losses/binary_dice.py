from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import Compared, OutputForm
from dlrun.components.losses._binary import BinaryLoss
from dlrun.language.fields import NonNegative
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    import torch


class BinaryDice(BinaryLoss):
    """1 minus the overlap of the predicted probabilities with the yes of a row, such as the pixels of an object.

    It is no likelihood: few yes count as much as many. After a final `sigmoid` the outputs are probabilities, otherwise
    they are logits.

    Shape: output and target of one shape. 1 - (2*sum(p*y) + smooth) / (sum(p) + sum(y) + smooth) over the numbers of a
        row, the mean over the rows
    Reference: Milletari, Navab and Ahmadi, V-Net, 2016; Sudre and others, Generalised Dice overlap, 2017.
    Example: binary_dice
    """

    main = "smooth"

    smooth: NonNegative = 1.0
    """Added above and below, so that a row without a yes does not divide by 0."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form == "log_probabilities":
            raise ShapeError("binary_dice takes logits or probabilities", "end in `- sigmoid`")
        super().check(output, target, classes, output_form)

    def mean(self, batch: Compared) -> torch.Tensor:
        chances = batch.output if batch.output_form == "probabilities" else batch.output.sigmoid()
        chances, right = chances.flatten(1), batch.target.flatten(1)
        overlap = 2 * (chances * right).sum(1) + self.smooth
        return (1 - overlap / (chances.sum(1) + right.sum(1) + self.smooth)).mean()
