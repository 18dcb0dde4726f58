from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._moments import Moments, OfMoments

if TYPE_CHECKING:
    import torch


class R2(OfMoments):
    """The share of the target's variance that is explained: 1 is perfect, 0 is as good as always predicting the mean.

    With several targets, the mean over them. NaN where a target is the same in all rows.

    Shape: 1 - sum((x - y)**2) / sum((y - mean(y))**2)
    Reference: Wright, Correlation and causation, 1921; as sklearn.metrics.r2_score.
    Example: r2
    """

    synonyms = ("r2_score", "r_squared")

    def of_moments(self, moments: Moments) -> torch.Tensor:
        bias = moments.first_z + moments.mean_z
        return 1 - (moments.spread_z + moments.rows * bias.square()) / moments.spread_y
