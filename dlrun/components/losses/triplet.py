from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import Compared, Loss, OutputForm
from dlrun.components.losses._classes import divisor
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    import torch


class Triplet(Loss):
    """How much the farthest row of the same class is not nearer than the nearest row of another class, by a margin.

    The network learns vectors whose distances say which rows are alike; the classes may be people, or products. Both
    rows are found in the batch, so a batch needs several rows of each class; rows without both do not count.
    It is no likelihood.

    Shape: output (D,), target one class. max(0, margin + d(farthest of its class) - d(nearest of another)), d = |x - y|
    Reference: Schroff, Kalenichenko and Philbin, FaceNet, 2015; Hermans, Beyer and Leibe, In defense of the triplet
        loss, 2017, whose "batch hard" it is.
    Example: triplet: 0.5
    """

    synonyms = ("triplet_margin_loss", "triplet_loss", "triplet_margin", "batch_hard_triplet")
    wants = "classes"
    predicts = False

    margin: PositiveFloat = 1.0
    """By how much the other class is to be farther away."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if len(output) != 1:
            raise ShapeError(f"triplet needs one vector for each row; the network outputs {show(output)}")
        if target:
            raise ShapeError("triplet is for one class a row, and the target has a class at each of several positions")

    def mean(self, batch: Compared) -> torch.Tensor:
        import torch

        output, target = batch.output, batch.target
        # A distance of 0 has no gradient.
        distance = (output[:, None] - output[None]).square().sum(-1).clamp(min=1e-12).sqrt()
        same = target[:, None] == target[None]
        others = same & ~torch.eye(len(target), dtype=torch.bool, device=target.device)
        farthest = distance.where(others, 0.0).amax(1)
        nearest = distance.where(~same, torch.inf).amin(1)
        counts = others.any(1) & ~same.all(1)
        losses = (self.margin + farthest - nearest.where(counts, 0.0)).clamp(min=0) * counts
        return losses.sum() / divisor(counts.sum())
