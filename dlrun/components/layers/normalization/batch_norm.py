from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.normalization._norm import Norm
from dlrun.language.fields import PositiveFloat, Share
from dlrun.shapes import Shape, ShapeError, numel, show

if TYPE_CHECKING:
    import torch


class BatchNorm(Norm):
    """Give each channel mean 0 and variance 1 over the batch, then scale and shift it.

    Evaluation uses moving statistics of the training batches.

    The shape decides which of torch's classes (1d, 2d, 3d) it is; the first axis is the channels.

    Shape: (C, ...) -> (C, ...), y = (x - mean) / sqrt(variance + eps) * weight + bias
    Reference: Ioffe and Szegedy, Batch normalization, 2015.
    Example: batch_norm
    """

    channel_axis = "first"
    synonyms = ("batch_normalization", "batch_norm1d", "batch_norm2d", "batch_norm3d", "bn")

    eps: PositiveFloat = 1e-5
    """Added to the variance, so it is never 0."""
    momentum: Share = 0.1
    """The weight of each new batch in the moving statistics."""
    affine: bool = True
    """Scale and shift each channel afterwards, with trained weights."""
    scale: bool = True
    """Scale as well as shift. Not needed where relu and a layer with weights follow, which can scale as well."""
    track_running_stats: bool = True
    """Keep moving statistics for evaluation; without them evaluation normalizes over its own batches."""

    def output_shape(self, shape: Shape) -> Shape:
        if not 1 <= len(shape) <= 4:
            raise ShapeError(f"needs an input of shape (channels, ...) with 1 to 4 axes; received {show(shape)}")
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        if not self.affine:
            return {}
        return ({"weight": shape[:1]} if self.scale else {}) | {"bias": shape[:1]}

    def buffers(self, shape: Shape) -> dict[str, Shape]:
        if not self.track_running_stats:
            return {}
        return {"running_mean": shape[:1], "running_var": shape[:1], "num_batches_tracked": ()}

    def same_in_training(self) -> bool:
        return False

    def least_rows(self, shape: Shape, training: bool) -> int:
        over_the_batch = training or not self.track_running_stats
        return 2 if over_the_batch and numel(shape[1:]) == 1 else 1

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        form = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d, 4: nn.BatchNorm3d}[len(shape)]
        module = form(shape[0], self.eps, self.momentum, self.affine, self.track_running_stats)
        if not self.scale:
            module.register_parameter("weight", None)
        return module
