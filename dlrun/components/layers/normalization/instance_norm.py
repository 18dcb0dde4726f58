from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.layers.normalization._norm import Norm
from dlrun.language.fields import PositiveFloat, Share
from dlrun.shapes import Shape, ShapeError, numel, show

if TYPE_CHECKING:
    import torch


class InstanceNorm(Norm):
    """Give each channel of each sample mean 0 and variance 1; as in torch, by default without weights and statistics.

    The shape decides which of torch's classes (1d, 2d, 3d) it is; the first axis is the channels.

    Shape: (C, ...) -> (C, ...), y = (x - mean) / sqrt(variance + eps), times weight plus bias if affine
    Reference: Ulyanov, Vedaldi and Lempitsky, Instance normalization, 2016.
    Example: instance_norm
    """

    channel_axis = "first"
    synonyms = ("instance_normalization", "instance_norm1d", "instance_norm2d", "instance_norm3d")

    eps: PositiveFloat = 1e-5
    """Added to the variance, so it is never 0."""
    momentum: Share = 0.1
    """The weight of each new batch in the moving statistics."""
    affine: bool = False
    """Scale and shift each channel afterwards, with trained weights."""
    track_running_stats: bool = False
    """Keep moving statistics in training and use them in evaluation."""

    def together(self, shape: Shape) -> int:
        return numel(shape[1:])

    def farthest(self, *shapes: Shape) -> float:
        return math.inf if self.track_running_stats else super().farthest(*shapes)

    def total(self, *shapes: Shape) -> float | None:
        return None if self.track_running_stats else super().total(*shapes)

    def output_shape(self, shape: Shape) -> Shape:
        if not 2 <= len(shape) <= 4:
            raise ShapeError(f"needs an input of shape (channels, ...) with 2 to 4 axes; received {show(shape)}")
        if self.together(shape) == 1:
            raise ShapeError(
                f"each channel of {show(shape)} is a single number, which minus its mean is always 0", "use layer_norm"
            )
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[:1], "bias": shape[:1]} if self.affine else {}

    def buffers(self, shape: Shape) -> dict[str, Shape]:
        if not self.track_running_stats:
            return {}
        return {"running_mean": shape[:1], "running_var": shape[:1], "num_batches_tracked": ()}

    def same_in_training(self) -> bool:
        return not self.track_running_stats

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        form = {2: nn.InstanceNorm1d, 3: nn.InstanceNorm2d, 4: nn.InstanceNorm3d}[len(shape)]
        return form(shape[0], self.eps, self.momentum, self.affine, self.track_running_stats)
