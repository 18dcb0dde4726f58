from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.components.layers.dropout._dropout import dropped
from dlrun.language.fields import Share
from dlrun.shapes import Shape, need_rank

if TYPE_CHECKING:
    import torch


class ScaledDotProductAttention(Layer):
    """Self-attention without weights of its own: each step becomes the mean of all, weighted by similarity.

    Shape: (T, E) -> (T, E), softmax(X X^T / sqrt(E)) X
    Reference: Vaswani and others, Attention is all you need, 2017, section 3.2.1.
    Example: scaled_dot_product_attention
    """

    channel_axis = "last"
    sees_all = True

    padding_is = "masked"

    causal: bool = False
    """Hide later steps from each step."""
    dropout: Share = 0.0
    """The share of the attention weights that is dropped in training."""

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        return shape

    def same_in_training(self) -> bool:
        return self.dropout == 0

    def output_range(self, taken: Range) -> Range:
        return dropped(taken, self.dropout)

    def steps_read(self, *shapes: Shape) -> int:
        return shapes[0][0]

    def macs(self, shape: Shape) -> int:
        return 2 * shape[0] ** 2 * shape[1]

    def formulas(self, shape: Shape) -> list[str]:
        return [f"multiply-adds 2*{shape[0]}*{shape[0]}*{shape[1]} = {self.macs(shape)}"]

    def activations(self, shape: Shape) -> int:
        return shape[0] * shape[1] + shape[0] ** 2

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.attention import ScaledDotProductAttention as Module

        return Module(self.causal, self.dropout)
