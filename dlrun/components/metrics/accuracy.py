from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.components.metrics._decision import decide
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Accuracy(Metric):
    """The share of correct predictions.

    Shape: correct / all
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 5.1.2.
    Example: accuracy
    """

    synonyms = ("acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy")
    suits = frozenset({"classes", "binary"})
    greater_is_better = True

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        import torch

        right = decide(output, target, output_form) == target
        return torch.stack((right.sum(dtype=torch.float64), right.new_full((), right.numel(), dtype=torch.float64)))

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 2

    def value(self, measured: torch.Tensor, output: Shape, of: int | None) -> torch.Tensor:
        return measured[0] / measured[1]
