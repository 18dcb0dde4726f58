from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.augment import Augmentation
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class GaussianNoise(Augmentation):
    """Add a random number from a normal distribution with mean 0 to each number.

    The layer of the same name does this anywhere in a network.

    Shape: (...) -> (...), y = x + n, n ~ N(0, std**2)
    Reference: Bishop, Training with noise is equivalent to Tikhonov regularization, 1995.
    Example: gaussian_noise: 0.1
    """

    synonyms = ("noise", "gauss_noise", "random_gaussian_noise")

    std: NonNegative
    """The standard deviation of the noise, in units of the preprocessed numbers."""

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        return x + draw.normal(*x.shape[1:]).to(x.dtype).mul_(self.std)
