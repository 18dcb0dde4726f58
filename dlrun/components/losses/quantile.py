from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dlrun.components.losses._numbers import NumbersLoss

if TYPE_CHECKING:
    import torch


class Quantile(NumbersLoss):
    """An absolute error that counts too small outputs by `quantile`, and too large ones by the rest to 1: its least
    value is at that quantile of the target. With `0.5` it is half of `l1`, and the quantile is the median.

    It is minus the log likelihood under asymmetric Laplace noise, up to constants.

    Shape: output and target of one shape. mean(max(q*(y - x), (q - 1)*(y - x)))
    Reference: Koenker and Bassett, Regression quantiles, 1978.
    Example: quantile: 0.9
    """

    synonyms = ("pinball", "pinball_loss", "quantile_loss", "mean_pinball_loss")
    main = "quantile"

    quantile: Annotated[float, Field(gt=0, lt=1)]
    """Which one, between 0 and 1."""

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        short = target - output
        return (self.quantile * short).maximum((self.quantile - 1) * short).mean()
