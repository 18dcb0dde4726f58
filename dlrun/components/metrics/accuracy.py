from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._classes import decide
from dlrun.components.metrics._mean import Mean

if TYPE_CHECKING:
    import torch


class Accuracy(Mean):
    """The share of correct predictions.

    Shape: correct / all
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 5.1.2.
    Example: accuracy
    """

    synonyms = (
        "acc",
        "accuracy_score",
        "categorical_accuracy",
        "sparse_categorical_accuracy",
        "binary_accuracy",
        "pixel_accuracy",
    )
    suits = frozenset({"classes", "binary"})
    greater_is_better = True

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        right = decide(output, target, output_form) == target
        return right, target >= 0 if target.dim() == 1 else None
