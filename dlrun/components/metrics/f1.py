from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._class_score import ClassScore

if TYPE_CHECKING:
    import torch


class F1(ClassScore):
    """The harmonic mean of precision and recall.

    NaN where nothing can be counted: no class of those it is about occurs or is predicted.

    Shape: 2*TP / (2*TP + FP + FN), for each class, then averaged; a class that neither occurs nor is predicted
        is not counted. For several binary outputs, for each output.
    Reference: van Rijsbergen, Information Retrieval, 1979; averages as in sklearn.metrics.f1_score.
    Example: f1: {average: weighted}
    """

    synonyms = ("f1_score", "binary_f1_score", "multiclass_f1_score")

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * hits, answers + occurrences
