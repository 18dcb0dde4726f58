from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlrun.components.layers import EVERY, Layer, Range
from dlrun.language.fields import NonNegative
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class GaussianNoise(Layer):
    """In training, add a random number from a normal distribution with mean 0 to each number.

    Shape: (...) -> (...), y = x + n, n ~ N(0, std**2)
    Reference: Bishop, Training with noise is equivalent to Tikhonov regularization, 1995.
    Example: gaussian_noise: 0.1
    """

    padding_is = "per_step"

    std: NonNegative
    """The standard deviation of the noise."""

    def same_in_training(self) -> bool:
        return False

    def changeable(self) -> dict[str, float]:
        return {"std": self.std}

    def build_changing(self, held: Mapping[str, torch.Tensor]) -> torch.nn.Module:
        from dlrun.modules.noise import GaussianNoise as Module

        return Module(held["std"])

    def output_range(self, taken: Range) -> Range:
        return EVERY if self.std else taken

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.noise import GaussianNoise as Module

        return Module(self.std)
