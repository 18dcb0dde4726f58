from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Ending, Metric
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Mae(Metric):
    """The mean absolute error, in units of the target.

    Shape: mean(|x - y|)
    Reference: Willmott and Matsuura, Advantages of the mean absolute error, 2005.
    Example: mae
    """

    suits = frozenset({"numbers"})
    greater_is_better = False

    def measure(self, output: torch.Tensor, target: torch.Tensor, ending: Ending) -> torch.Tensor:
        import torch

        error = output.double() - target
        return torch.stack((error.abs().sum(), error.new_full((), error.numel())))

    def value(self, measured: torch.Tensor, output: Shape) -> torch.Tensor:
        return measured[0] / measured[1]
