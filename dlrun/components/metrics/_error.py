"""The base of the metrics that average an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Averaged(Metric):
    """The mean of a function of the error over all numbers."""

    suits = frozenset({"numbers"})
    greater_is_better = False

    def weigh(self, error: torch.Tensor) -> torch.Tensor:
        """The function of each error."""
        raise NotImplementedError

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(2,): the sum over all numbers, and their count."""
        import torch

        error = self.weigh(output.double() - target)
        return torch.stack((error.sum(), error.new_full((), error.numel())))

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 2

    def value(self, measured: torch.Tensor, output: Shape, of: int | None) -> torch.Tensor:
        return measured[0] / measured[1]
