"""The base of the initializers for layers before a relu."""

from __future__ import annotations

from typing import Literal

from dlrun.components.initializers import Initializer


class Kaiming(Initializer):
    """A spread that depends on the number of inputs, or of outputs, of the weight."""

    least_rank = 2

    mode: Literal["fan_in", "fan_out"] = "fan_in"
    """Keep the variance of the activations (fan_in) or of the gradients (fan_out)."""
    nonlinearity: Literal["relu", "leaky_relu", "linear", "tanh", "sigmoid", "selu"] = "relu"
    """The activation that follows."""
    a: float = 0.0
    """The slope of leaky_relu for negative numbers."""
