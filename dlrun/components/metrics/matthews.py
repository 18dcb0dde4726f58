from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._classes import Counted
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Matthews(Counted):
    """The Matthews correlation coefficient between the true and the predicted classes: 1 is perfect, 0 is chance.

    NaN where all rows are of one class, or all predictions are. For several binary outputs the mean over them.

    Shape: (c*s - sum(p*t)) / sqrt((s**2 - sum(p**2)) * (s**2 - sum(t**2))); of s rows c are right, each class is
        predicted p times and occurs t times
    Reference: Matthews, Comparison of the predicted and observed secondary structure of T4 phage lysozyme, 1975;
        Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, 2004; as
        sklearn.metrics.matthews_corrcoef, which is 0 where this is NaN.
    Example: matthews
    """

    synonyms = ("mcc", "matthews_corrcoef", "matthews_corr_coef", "matthews_correlation", "phi_coefficient")
    needs_two_classes = True
    needs_spread = True

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        hits, answers, occurrences, rows = measured
        every = rows[:, 0]
        together = hits.sum(1) * every - (answers * occurrences).sum(1)
        spreads = [every.square() - counts.square().sum(1) for counts in (answers, occurrences)]
        return (together / (spreads[0].sqrt() * spreads[1].sqrt())).mean()
