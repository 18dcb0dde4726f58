"""Shared by the attention layers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from dlrun.components.layers import Layer, Role, WeightedLayer
from dlrun.language.component import Component, OneOf, checked
from dlrun.language.fields import Positive, PositiveFloat, Share
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


def need_steps(memory: Shape) -> None:
    """Require a second sequence of several steps: attention to a single one is the same for every query.

    Raises:
        ShapeError: there is one step.
    """
    if memory[0] == 1:
        message = f"the memory {show(memory)} is a single step, so the output does not depend on the layer before"
        raise ShapeError(message, "name a layer whose output has several steps")


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


@checked
def activation_layer(layer: Layer) -> Layer:
    """Require an activation: a layer of that room, with a gradient; it is not a layer of its own, so it has no name.

    Raises:
        ValueError: it is another layer.
    """
    if layer.room != "activations" or not layer.differentiable:
        raise ValueError(f"an activation with a gradient is expected, such as relu or gelu; received {layer.kind}")
    if layer.name is not None:
        raise ValueError(f"the activation inside a layer has no name; received '{layer.name}'")
    return layer


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

    def same_in_training(self) -> bool:
        return self.dropout == 0

    def steps_read(self, *shapes: Shape) -> int:
        return shapes[-1][0]


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
    activation: Annotated[Component, OneOf("layers"), AfterValidator(activation_layer)] = Field(
        default="relu", validate_default=True
    )
    """The activation in the small network: one without weights, such as relu, gelu, or `{gelu: tanh}` as in GPT-2."""
    layer_norm_eps: PositiveFloat = 1e-5
    """Added to the variance in each norm; 1e-12 in BERT."""

    def same_in_training(self) -> bool:
        activation: Any = self.activation
        return self.dropout == 0 and activation.same_in_training()

    def need_features(self, features: int) -> None:
        """Require features that the heads can divide and the norms can tell apart.

        Raises:
            ShapeError: they cannot.
        """
        need_heads(features, self.nhead)
        if features == 1:
            message = "its norms are over the features, and a single one minus its mean is always 0"
            raise ShapeError(message, "give each step more features, such as by `- linear: 16` before it")

    def normalizes(self, *shapes: Shape) -> int:
        return shapes[0][1]

    def steps_read(self, *shapes: Shape) -> int:
        return min(shape[0] for shape in shapes)

    def need_activation(self, steps: int) -> None:
        """Require an activation that keeps the shape of the hidden layer, step by step and without weights.

        Raises:
            ShapeError: it does not, or it has weights.
        """
        shape = (steps, self.dim_feedforward)
        layer = self._activation()
        output = layer.output_shape(shape)
        if output != shape:
            what = f"has another output shape, {show(output)} for {show(shape)}"
        elif layer.weights(shape):
            what = "has weights of its own"
        elif layer.treats_padding(shape) != "per_step":
            what = "computes a step from the other steps too"
        else:
            return
        raise ShapeError(f"the activation {layer.kind} {what}", "use one such as relu, gelu or silu")

    def _activation(self) -> Layer:
        assert isinstance(self.activation, Layer)
        return self.activation

    def torch_settings(self, steps: int) -> dict[str, Any]:
        """The arguments of the module, besides the features, for a sequence of this many steps."""
        names = ("nhead", "dim_feedforward", "dropout", "norm_first", "bias", "causal", "layer_norm_eps")
        activation = self._activation().build((steps, self.dim_feedforward))
        return {"batch_first": True, "activation": activation, **{name: getattr(self, name) for name in names}}

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
