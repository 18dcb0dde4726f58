from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._numbers import NumbersLoss

if TYPE_CHECKING:
    import torch


class PoissonNll(NumbersLoss):
    """Minus the log likelihood of counts under a Poisson distribution, without the part that the outputs cannot change.

    The network outputs the log of the expected count.

    Shape: output and target of one shape. mean(exp(x) - y*x); with `log_input: false` mean(x - y*log(x + 1e-8))
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 2.4; Cameron and Trivedi, Regression
        analysis of count data, 1998.
    Example: poisson_nll
    """

    synonyms = ("poisson", "poisson_nll_loss")
    lowest_target = 0.0

    log_input: bool = True
    """Whether the outputs are the logs of the expected counts; otherwise they are the expected counts, which are never
    negative after `softplus`."""

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        return functional.poisson_nll_loss(output, target, log_input=self.log_input)
