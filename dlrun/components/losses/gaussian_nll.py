from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlrun.components.losses import Compared
from dlrun.components.losses._numbers import NumbersLoss
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class GaussianNll(NumbersLoss):
    """Minus the log likelihood under Gaussian noise whose variance is another output, without the constant.

    The network outputs a mean and a variance for each number; the variance is positive, as after `softplus`.

    Shape: output, variance and target of one shape. mean((log(v) + (x - y)**2 / v) / 2), v = max(variance, eps)
    Reference: Nix and Weigend, Estimating the mean and variance of the target probability distribution, 1994.
    Example: gaussian_nll: {output: mean, variance: spread}
    """

    synonyms = ("gaussian_nll_loss", "heteroscedastic")

    variance: str
    """The name of the output that is the variance."""
    eps: PositiveFloat = 1e-6
    """The least variance."""

    @property
    def further(self) -> Mapping[str, str]:
        return {"variance": self.variance}

    def mean(self, batch: Compared) -> torch.Tensor:
        variance = batch.further[0].clamp(min=self.eps)
        return 0.5 * (variance.log() + (batch.output - batch.target).square() / variance).mean()
