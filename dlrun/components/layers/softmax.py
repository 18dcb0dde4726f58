from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, axis

if TYPE_CHECKING:
    import torch


class Softmax(Layer):
    """Turn numbers into shares that sum to 1; not before `cross_entropy`, which does it itself.

    Shape: (...) -> (...), y = exp(x) / sum(exp(x)) along dim
    Reference: Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.
    Example: softmax
    """

    ends_in: ClassVar[Literal["probabilities", "distribution", ""]] = "distribution"

    dim: int = -1
    """The axis that sums to 1, without counting the batch."""

    def output_shape(self, shape: Shape) -> Shape:
        axis(self.dim, len(shape))
        return shape

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.Softmax(axis(self.dim, len(shape)) + 1)
