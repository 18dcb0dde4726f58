from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch


class MedianAbsoluteError(Metric):
    """The median of the absolute errors, in units of the target: a few large errors do not change it.

    With several targets, the mean over them. The value is exact, so all errors are kept until the end of an epoch or
    split: 8 bytes for each number, which `check` counts.

    Shape: median(|x - y|)
    Reference: Huber, Robust Statistics, 1981; as sklearn.metrics.median_absolute_error.
    Example: median_absolute_error
    """

    synonyms = ("median_ae", "medae", "median_error")
    suits = frozenset({"numbers"})
    greater_is_better = False
    combine = "concatenate"

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(N, targets): the absolute errors."""
        return (output.double() - target).flatten(1).abs()

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * rows * (numel(output) + 3)

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        import torch

        return torch.stack([_median(errors) for errors in measured.T]).mean()


def _median(errors: torch.Tensor) -> torch.Tensor:
    """The middle of the sorted errors, or the mean of the two in the middle; NaN where one is NaN."""
    ordered = errors.sort().values
    last = len(ordered) - 1
    middle = (ordered[last // 2] + ordered[last - last // 2]) / 2
    return middle.where(~ordered[-1].isnan(), float("nan"))
