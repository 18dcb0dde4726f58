from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer
from dlrun.language.fields import Positive
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Dirac(Initializer):
    """Kernels of a convolution that pass as many channels as possible unchanged: 1 in the middle, 0 elsewhere.

    Shape: w[i, i, middle, ...] = 1, others 0; the same within each group
    Reference: Zagoruyko and Komodakis, DiracNets, 2017.
    Example: dirac
    """

    least_rank, most_rank = 3, 5

    groups: Positive = 1
    """The groups of output channels, each of which passes its inputs."""

    def suits(self, shape: Shape) -> bool:
        return super().suits(shape) and shape[0] % self.groups == 0

    def needed(self) -> str:
        return super().needed() + (f", and {self.groups} groups of output channels" if self.groups > 1 else "")

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.dirac_(weight, self.groups)
