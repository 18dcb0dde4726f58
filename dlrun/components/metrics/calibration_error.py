from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.components.metrics._probabilities import log_probabilities
from dlrun.language.fields import Positive
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class CalibrationError(Metric):
    """The expected calibration error: how far probabilities are from the shares of rows in which they come true.

    The range from 0 to 1 is divided into `bins` of equal width. In each bin, the mean probability is compared with the
    share of rows that are right; the mean of the differences is weighted by how many rows a bin has. With more than two
    classes the probability is that of the predicted class, which is right or wrong. With two it is that of the second
    class, which the row has or has not. Several binary outputs are counted together.

    Shape: sum_b(n_b/n * |mean(p in b) - mean(right in b)|); bin b has (b - 1)/bins < p <= b/bins
    Reference: Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, 2015; Guo,
        Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017.
    Example: calibration_error: {bins: 10}
    """

    synonyms = ("ece", "expected_calibration_error")
    suits = frozenset({"classes", "binary"})
    greater_is_better = False

    bins: Positive = 15
    """The number of bins."""

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(3, bins): the rows of each bin, their probabilities added up, and how many are right."""
        import torch

        logs, classes = log_probabilities(output, target, output_form)
        if logs.shape[1] == 2:
            chosen, right = logs[:, 1], classes == 1
        else:
            chosen, decided = logs.max(1)
            right = decided == classes
        counts = classes >= 0
        share = chosen.exp().where(counts, 0)
        inner = torch.linspace(0, 1, self.bins + 1, dtype=share.dtype, device=share.device)[1:-1]
        number = torch.bucketize(share, inner)
        member = (number[:, None] == torch.arange(self.bins, device=share.device)) & counts[:, None]
        return torch.stack((torch.ones_like(share), share, right.to(share.dtype))).double() @ member.double()

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 5 * self.bins

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        rows, shares, right = measured
        return (shares - right).abs().sum() / rows.sum()
