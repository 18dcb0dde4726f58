from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import EVERY, Range
from dlrun.components.layers.attention._attention import (
    MultiheadLayer,
    attention_formula,
    attention_macs,
    attention_weights,
    need_heads,
    need_memory,
    need_steps,
)
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class CrossAttention(MultiheadLayer):
    """Attention with several heads: each step of a sequence becomes a weighted mean of the steps of another sequence.

    Shape: (T, E), and (S, E) from the layer called `memory` -> (T, E)
    Reference: Vaswani and others, Attention is all you need, 2017, section 3.2.3.
    Example: cross_attention: {num_heads: 4, memory: encoder}
    """

    second_inputs = ("memory",)

    memory: str
    """The name of the earlier layer whose output is the other sequence."""

    def output_shape(self, shape: Shape, memory: Shape) -> Shape:  # type: ignore[override]
        need_memory(shape, memory)
        need_heads(shape[1], self.num_heads)
        need_steps(memory)
        return shape

    def output_range(self, taken: Range, memory: Range) -> Range:  # type: ignore[override]
        return EVERY

    def weights(self, shape: Shape, memory: Shape) -> dict[str, Shape]:  # type: ignore[override]
        return attention_weights(shape[1], self.bias)

    def buffers(self, shape: Shape, memory: Shape) -> dict[str, Shape]:  # type: ignore[override]
        return {}

    def macs(self, shape: Shape, memory: Shape) -> int:  # type: ignore[override]
        return attention_macs(shape[0], memory[0], shape[1])

    def formulas(self, shape: Shape, memory: Shape) -> list[str]:  # type: ignore[override]
        return [attention_formula(shape[0], memory[0], shape[1])]

    def activations(self, shape: Shape, memory: Shape) -> int:  # type: ignore[override]
        return 3 * shape[0] * shape[1] + 2 * memory[0] * shape[1] + self.num_heads * shape[0] * memory[0]

    def build(self, shape: Shape, memory: Shape) -> torch.nn.Module:  # type: ignore[override]
        from dlrun.modules.attention import MultiheadAttention as Module

        return Module(shape[1], self.num_heads, self.dropout, self.bias, causal=False)
