from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch


class Rmse(Metric):
    """The square root of the mean squared error, in units of the target. With several targets, the mean over them.

    Shape: sqrt(mean((x - y)**2))
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 1.1; as
        sklearn.metrics.root_mean_squared_error.
    Example: rmse
    """

    synonyms = ("root_mean_squared_error",)
    suits = frozenset({"numbers"})
    greater_is_better = False

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(2, targets): the sum of the squared errors, and the number of rows."""
        import torch

        squared = (output.double() - target).flatten(1).square().sum(0)
        return torch.stack((squared, torch.full_like(squared, len(target))))

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 4 * numel(output)

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        return (measured[0] / measured[1]).sqrt().mean()
