from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers._gain import Gained

if TYPE_CHECKING:
    import torch


class XavierUniform(Gained):
    """Uniform distribution, with a spread that keeps the variance of activations and of gradients from layer to layer.

    Shape: w ~ U(-a, a), a = gain*sqrt(6 / (fan_in + fan_out))
    Reference: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    Example: xavier_uniform
    """

    synonyms = ("glorot_uniform", "xavier", "glorot")

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.xavier_uniform_(weight, self.gain)
