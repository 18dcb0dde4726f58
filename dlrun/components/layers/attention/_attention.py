"""Shared by the attention layers."""

from __future__ import annotations

from typing import Any, Literal

from dlrun.components.layers import Role, WeightedLayer
from dlrun.language.fields import Positive, Share
from dlrun.shapes import Shape, ShapeError, need_rank, show


def need_heads(features: int, heads: int) -> None:
    """Require features that can be divided among the heads.

    Raises:
        ShapeError: they cannot.
    """
    if features % heads:
        raise ShapeError(f"{features} features cannot be divided among {heads} heads")


def need_memory(shape: Shape, memory: Shape) -> None:
    """Require a second sequence with as many features as the first.

    Raises:
        ShapeError: it is not a sequence, or has another number of features.
    """
    need_rank(shape, "time, features")
    need_rank(memory, "time, features")
    if shape[1] != memory[1]:
        raise ShapeError(f"both sequences need the same number of features; received {show(shape)} and {show(memory)}")


def attention_weights(features: int, bias: bool, prefix: str = "") -> dict[str, Shape]:
    """The weights of torch.nn.MultiheadAttention: queries, keys and values in one matrix, then the output."""
    weights = {f"{prefix}in_proj_weight": (3 * features, features)}
    weights |= {f"{prefix}in_proj_bias": (3 * features,)} if bias else {}
    weights |= {f"{prefix}out_proj.weight": (features, features)}
    return weights | ({f"{prefix}out_proj.bias": (features,)} if bias else {})


def attention_macs(queries: int, keys: int, features: int) -> int:
    """Multiply-adds: projections of queries and outputs, of keys and values, then the scores and the weighted sums."""
    return 2 * queries * features**2 + 2 * keys * features**2 + 2 * queries * keys * features


def attention_formula(queries: int, keys: int, features: int, what: str = "") -> str:
    """The formula of `attention_macs` with its numbers."""
    total = attention_macs(queries, keys, features)
    return (
        f"{what} multiply-adds 2*{queries}*{features}*{features} + 2*{keys}*{features}*{features} "
        f"+ 2*{queries}*{keys}*{features} = {total}"
    ).strip()


class MultiheadLayer(WeightedLayer):
    """Attention with several heads, each with its own part of the features."""

    channel_axis = "last"
    sees_all = True
    padding_is = "masked"

    num_heads: Positive
    """Number of heads; the features are divided among them."""
    bias: bool = True
    """Add trained offsets to queries, keys, values and outputs."""
    dropout: Share = 0.0
    """The share of the attention weights that is dropped in training."""


class TransformerLayer(WeightedLayer):
    """Attention, then a small network at each step, each with a residual connection and a layer norm."""

    channel_axis = "last"
    sees_all = True
    padding_is = "masked"

    nhead: Positive
    """Number of heads."""
    dim_feedforward: Positive = 2048
    """The width of the small network's hidden layer."""
    dropout: Share = 0.1
    """The share dropped in training, everywhere in the layer."""
    bias: bool = True
    """Add trained offsets everywhere, also in the norms."""
    norm_first: bool = False
    """Normalise before attention and network (pre-norm) instead of after."""
    causal: bool = False
    """Hide later steps from each step."""
    activation: Literal["relu", "gelu"] = "relu"
    """The activation in the small network."""

    def torch_settings(self) -> dict[str, Any]:
        """The arguments of the module, besides the features."""
        names = ("nhead", "dim_feedforward", "dropout", "activation", "norm_first", "bias", "causal")
        return {"batch_first": True, **{name: getattr(self, name) for name in names}}

    def role(self, weight: str) -> Role:
        if weight.startswith("norm"):
            return "scale" if weight.endswith("weight") else "bias"
        return super().role(weight)

    def other_weights(self, features: int, norms: int) -> dict[str, Shape]:
        """The weights besides those of the attention."""
        hidden = self.dim_feedforward
        shapes: dict[str, Shape] = {"linear1": (hidden, features), "linear2": (features, hidden)}
        shapes |= {f"norm{number}": (features,) for number in range(1, norms + 1)}
        weights: dict[str, Shape] = {}
        for name, shape in shapes.items():
            weights[f"{name}.weight"] = shape
            if self.bias:
                weights[f"{name}.bias"] = shape[:1]
        return weights
