from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class R2(Metric):
    """The share of the target's variance that is explained: 1 is perfect, 0 is as good as always predicting the mean.

    With several targets, the mean over them. NaN where a target is the same in all rows.

    Shape: 1 - sum((x - y)**2) / sum((y - mean(y))**2)
    Reference: Wright, Correlation and causation, 1921; as sklearn.metrics.r2_score.
    Example: r2
    """

    synonyms = ("r2_score", "r_squared")
    suits = frozenset({"numbers"})
    greater_is_better = True

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(4, targets): squared error, sum of the target, sum of its squares, number of rows."""
        import torch

        y = target.double()
        squared = (output.double() - y).square().sum(0)
        return torch.stack((squared, y.sum(0), y.square().sum(0), torch.full_like(squared, len(y))))

    def value(self, measured: torch.Tensor, output: Shape) -> torch.Tensor:
        squared, total, squares, rows = measured
        spread = squares - total.square() / rows
        # Sums of equal numbers leave a rounding error where the variance is really 0.
        spread = spread.where(spread > 1e-12 * squares, 0.0)
        return (1 - squared / spread).where(spread > 0, float("nan")).mean()
