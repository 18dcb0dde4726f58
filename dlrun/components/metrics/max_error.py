from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import MERGED, Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class MaxError(Metric):
    """The largest absolute error of all numbers, in units of the target.

    Shape: max(|x - y|)
    Reference: Burden and Faires, Numerical Analysis, 2010, section 8.3; as sklearn.metrics.max_error.
    Example: max_error
    """

    synonyms = ("maximum_error", "max_absolute_error")
    suits = frozenset({"numbers"})
    greater_is_better = False
    combine = "merge"

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(): the largest error."""
        return (output.double() - target).abs().max()

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 2 * 8 * min(rows, MERGED)

    def merge(self, results: torch.Tensor) -> torch.Tensor:
        return results.max()

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        return measured
