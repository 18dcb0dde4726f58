from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.attention._attention import (
    MultiheadLayer,
    attention_formula,
    attention_macs,
    attention_weights,
    need_heads,
)
from dlrun.shapes import Shape, need_rank

if TYPE_CHECKING:
    import torch


class MultiheadAttention(MultiheadLayer):
    """Self-attention with several heads: each step of a sequence becomes a weighted mean of all steps.

    Shape: (T, E) -> (T, E); a head: softmax(Q K^T / sqrt(E/num_heads)) V
    Reference: Vaswani and others, Attention is all you need, 2017.
    Example: multihead_attention: {num_heads: 4, causal: true}
    """

    synonyms = ("attention", "self_attention")
    causal: bool = False
    """Hide later steps from each step."""

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        need_heads(shape[1], self.num_heads)
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return attention_weights(shape[1], self.bias)

    def macs(self, shape: Shape) -> int:
        return attention_macs(shape[0], shape[0], shape[1])

    def formulas(self, shape: Shape) -> list[str]:
        return [attention_formula(shape[0], shape[0], shape[1])]

    def activations(self, shape: Shape) -> int:
        return 5 * shape[0] * shape[1] + self.num_heads * shape[0] ** 2

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.attention import MultiheadAttention as Module

        return Module(shape[1], self.num_heads, self.dropout, self.bias, causal=self.causal)
