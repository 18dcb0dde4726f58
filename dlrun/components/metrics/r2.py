from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import MERGED, Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch


class R2(Metric):
    """The share of the target's variance that is explained: 1 is perfect, 0 is as good as always predicting the mean.

    With several targets, the mean over them. NaN where a target is the same in all rows.

    Shape: 1 - sum((x - y)**2) / sum((y - mean(y))**2)
    Reference: Wright, Correlation and causation, 1921; as sklearn.metrics.r2_score. Merged over batches as in Chan,
        Golub and LeVeque, Algorithms for computing the sample variance, 1983.
    Example: r2
    """

    synonyms = ("r2_score", "r_squared")
    suits = frozenset({"numbers"})
    greater_is_better = True
    combine = "merge"
    needs_spread = True

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(5, targets): squared error; number of rows, first target, mean distance of the targets from it, squared
        distance of the targets from their mean. The two parts of the mean are not added: that would round it."""
        import torch

        y = target.double().flatten(1)
        squared = (output.double().flatten(1) - y).square().sum(0)
        # All distances are from the first row, so that equal targets have a spread of exactly 0.
        shifted = y - y[0]
        mean = shifted.mean(0)
        return torch.stack((squared, torch.full_like(squared, len(y)), y[0], mean, (shifted - mean).square().sum(0)))

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 3 * 8 * 5 * numel(output) * min(rows, MERGED)

    def merge(self, results: torch.Tensor) -> torch.Tensor:
        import torch

        squared, rows, first, means, spreads = results.unbind(1)
        count = rows.sum(0)
        shifted = first - first[0] + means
        mean = (rows * shifted).sum(0) / count
        spread = spreads.sum(0) + (rows * (shifted - mean).square()).sum(0)
        return torch.stack((squared.sum(0), count, first[0], mean, spread))

    def value(self, measured: torch.Tensor, output: Shape, of: int | None) -> torch.Tensor:
        squared, _, _, _, spread = measured
        return (1 - squared / spread).where(spread > 0, float("nan")).mean()
