from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._class_score import ClassScore

if TYPE_CHECKING:
    import torch


class Precision(ClassScore):
    """The share of a class's predictions that are right.

    NaN for a class that is never predicted. For several binary outputs, for each output.

    Shape: TP / (TP + FP), for each class, then averaged
    Reference: Cleverdon, Factors determining the performance of indexing systems, 1966; averages as in
        sklearn.metrics.precision_score, with zero_division=nan.
    Example: precision: {average: macro}
    """

    synonyms = ("precision_score", "positive_predictive_value", "ppv")

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return hits, answers
