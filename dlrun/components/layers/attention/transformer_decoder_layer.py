from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import EVERY, Range
from dlrun.components.layers.attention._attention import (
    TransformerLayer,
    attention_formula,
    attention_macs,
    attention_weights,
    need_memory,
)
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to another sequence, then a small network, each with a residual and a layer norm.

    Shape: (T, E), and (S, E) from the layer called `memory` -> (T, E)
    Reference: Vaswani and others, Attention is all you need, 2017, section 3.1.
    Example: transformer_decoder_layer: {nhead: 4, memory: encoder, causal: true}
    """

    second_inputs = ("memory",)

    memory: str
    """The name of the earlier layer whose output is the other sequence."""

    def output_shape(self, shape: Shape, memory: Shape) -> Shape:  # type: ignore[override]
        need_memory(shape, memory)
        self.need_features(shape[1])
        self.need_activation(shape[0])
        return shape

    def weights(self, shape: Shape, memory: Shape) -> dict[str, Shape]:  # type: ignore[override]
        attentions = attention_weights(shape[1], self.bias, "self_attn.")
        attentions |= attention_weights(shape[1], self.bias, "multihead_attn.")
        return attentions | self.other_weights(shape[1], norms=3)

    def output_range(self, taken: Range, memory: Range) -> Range:  # type: ignore[override]
        return EVERY

    def buffers(self, shape: Shape, memory: Shape) -> dict[str, Shape]:  # type: ignore[override]
        return {}

    def macs(self, shape: Shape, memory: Shape) -> int:  # type: ignore[override]
        steps, features = shape
        attentions = attention_macs(steps, steps, features) + attention_macs(steps, memory[0], features)
        return attentions + 2 * steps * features * self.dim_feedforward

    def formulas(self, shape: Shape, memory: Shape) -> list[str]:  # type: ignore[override]
        steps, features = shape
        network = 2 * steps * features * self.dim_feedforward
        return [
            attention_formula(steps, steps, features, "attention to itself"),
            attention_formula(steps, memory[0], features, "attention to the memory"),
            f"network multiply-adds 2*{steps}*{features}*{self.dim_feedforward} = {network}",
        ]

    def activations(self, shape: Shape, memory: Shape) -> int:  # type: ignore[override]
        steps, features = shape
        scores = self.nhead * steps * (steps + memory[0])
        return 14 * steps * features + scores + 2 * steps * self.dim_feedforward

    def build(self, shape: Shape, memory: Shape) -> torch.nn.Module:  # type: ignore[override]
        from dlrun.modules.attention import TransformerDecoderLayer as Module

        return Module(shape[1], **self.torch_settings(shape[0]))
