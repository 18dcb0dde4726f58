from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.initializers import Initializer

if TYPE_CHECKING:
    import torch


class KaimingUniform(Initializer):
    """Uniform, with a spread that keeps the variance through layers followed by relu.

    Shape: w ~ U(-b, b), b = gain*sqrt(3 / fan); gain is sqrt(2) for relu
    Reference: He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015.
    Example: kaiming_uniform
    """

    least_rank = 2

    mode: Literal["fan_in", "fan_out"] = "fan_in"
    """Keep the variance of the activations (fan_in) or of the gradients (fan_out)."""
    nonlinearity: Literal["relu", "leaky_relu", "linear", "tanh", "sigmoid", "selu"] = "relu"
    """The activation that follows."""
    a: float = 0.0
    """The slope of leaky_relu for negative numbers."""

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.kaiming_uniform_(weight, self.a, self.mode, self.nonlinearity)
