from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Ending, Metric
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Mse(Metric):
    """The mean squared error, in squared units of the target.

    Shape: mean((x - y)**2)
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 3.1.1.
    Example: mse
    """

    suits = frozenset({"numbers"})
    greater_is_better = False

    def measure(self, output: torch.Tensor, target: torch.Tensor, ending: Ending) -> torch.Tensor:
        import torch

        error = output.double() - target
        return torch.stack((error.square().sum(), error.new_full((), error.numel())))

    def value(self, measured: torch.Tensor, output: Shape) -> torch.Tensor:
        return measured[0] / measured[1]
