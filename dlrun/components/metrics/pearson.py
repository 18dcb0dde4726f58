from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._moments import Moments, OfMoments

if TYPE_CHECKING:
    import torch


class Pearson(OfMoments):
    """The correlation coefficient of the outputs with the target: 1 or -1 on a line, 0 without a linear relation.

    With several targets, the mean over them. NaN where a target, or an output, is the same in all rows.

    Shape: cov(x, y) / sqrt(var(x)*var(y))
    Reference: Pearson, Notes on regression and inheritance in the case of two parents, 1895; as scipy.stats.pearsonr.
    Example: pearson
    """

    synonyms = ("pearsonr", "pearson_corrcoef", "correlation", "pearson_correlation")

    def beside(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return output

    def of_moments(self, moments: Moments) -> torch.Tensor:
        return moments.together / (moments.spread_y.sqrt() * moments.spread_z.sqrt())
