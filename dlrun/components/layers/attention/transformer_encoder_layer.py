from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.attention._attention import (
    TransformerLayer,
    attention_formula,
    attention_macs,
    attention_weights,
)
from dlrun.shapes import Shape, need_rank

if TYPE_CHECKING:
    import torch


class TransformerEncoderLayer(TransformerLayer):
    """Self-attention, then a small network at each step, each with a residual connection and a layer norm.

    Shape: (T, E) -> (T, E)
    Reference: Vaswani and others, Attention is all you need, 2017; pre-norm: Xiong and others, On layer normalization
        in the transformer architecture, 2020.
    Example: transformer_encoder_layer: {nhead: 4, dim_feedforward: 64}
    """

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        self.need_features(shape[1])
        self.need_activation(shape[0])
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return attention_weights(shape[1], self.bias, "self_attn.") | self.other_weights(shape[1], norms=2)

    def macs(self, shape: Shape) -> int:
        steps, features = shape
        return attention_macs(steps, steps, features) + 2 * steps * features * self.dim_feedforward

    def formulas(self, shape: Shape) -> list[str]:
        steps, features = shape
        network = 2 * steps * features * self.dim_feedforward
        return [
            attention_formula(steps, steps, features, "attention"),
            f"network multiply-adds 2*{steps}*{features}*{self.dim_feedforward} = {network}",
        ]

    def activations(self, shape: Shape) -> int:
        steps, features = shape
        return 9 * steps * features + self.nhead * steps**2 + 2 * steps * self.dim_feedforward

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.attention import TransformerEncoderLayer as Module

        return Module(shape[1], **self.torch_settings(shape[0]))
