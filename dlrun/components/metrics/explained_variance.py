from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._moments import Moments, OfMoments

if TYPE_CHECKING:
    import torch


class ExplainedVariance(OfMoments):
    """The share of the target's variance that is explained, where an error that is the same in all rows is forgiven.

    It is r2 after the mean error has been taken from the outputs. With several targets, the mean over them. NaN where a
    target is the same in all rows.

    Shape: 1 - var(y - x) / var(y)
    Reference: Draper and Smith, Applied Regression Analysis, 1998; as sklearn.metrics.explained_variance_score.
    Example: explained_variance
    """

    synonyms = ("explained_variance_score",)

    def of_moments(self, moments: Moments) -> torch.Tensor:
        return 1 - moments.spread_z / moments.spread_y
