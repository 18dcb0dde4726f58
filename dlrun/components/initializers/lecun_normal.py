from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer

if TYPE_CHECKING:
    import torch


class LecunNormal(Initializer):
    """Normal distribution, with a spread that keeps the variance through linear layers; for selu and tanh.

    Keras cuts the ends of this distribution off; this does not.

    Shape: w ~ N(0, 1 / fan_in)
    Reference: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998; Klambauer, Unterthiner, Mayr and Hochreiter,
        Self-normalizing neural networks, 2017.
    Example: lecun_normal
    """

    synonyms = ("lecun",)
    least_rank = 2

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.kaiming_normal_(weight, nonlinearity="linear")
