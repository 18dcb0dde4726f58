from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._class_score import ClassScore
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class FBeta(ClassScore):
    """The weighted harmonic mean of precision and recall; recall counts `beta` times as much as precision.

    NaN for a class that neither occurs nor is predicted. For several binary outputs, for each output.

    Shape: (1 + beta**2)*TP / ((1 + beta**2)*TP + FP + beta**2*FN), for each class, then averaged
    Reference: van Rijsbergen, Information Retrieval, 1979; as sklearn.metrics.fbeta_score.
    Example: f_beta: {beta: 2, average: macro}
    """

    synonyms = ("fbeta", "fbeta_score", "f_beta_score", "f2")
    main = "beta"

    beta: PositiveFloat = 2.0
    """How many times as much recall counts as precision."""

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return (1 + self.beta**2) * hits, answers + self.beta**2 * occurrences
