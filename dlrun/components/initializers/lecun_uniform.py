from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer

if TYPE_CHECKING:
    import torch


class LecunUniform(Initializer):
    """Uniform distribution, with a spread that keeps the variance through linear layers; for selu and tanh.

    Shape: w ~ U(-b, b), b = sqrt(3 / fan_in)
    Reference: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998; Klambauer, Unterthiner, Mayr and Hochreiter,
        Self-normalizing neural networks, 2017.
    Example: lecun_uniform
    """

    least_rank = 2

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.kaiming_uniform_(weight, nonlinearity="linear")
