from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers._gain import Gained

if TYPE_CHECKING:
    import torch


class XavierNormal(Gained):
    """Normal distribution, with a spread that keeps the variance of activations and of gradients from layer to layer.

    Shape: w ~ N(0, gain**2 * 2 / (fan_in + fan_out))
    Reference: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    Example: xavier_normal
    """

    synonyms = ("glorot_normal",)

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.xavier_normal_(weight, self.gain)
