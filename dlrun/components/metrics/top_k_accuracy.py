from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._mean import Mean
from dlrun.language.fields import Positive
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    import torch


class TopKAccuracy(Mean):
    """The share of rows whose class is among the `k` largest outputs.

    Of equal outputs the first ones come first, so with `k: 1` it is the accuracy.

    Shape: mean(the place of x[y] among x, from the largest on, <= k)
    Reference: Russakovsky and others, ImageNet large scale visual recognition challenge, 2015.
    Example: top_k_accuracy: 5
    """

    synonyms = (
        "top_k",
        "topk",
        "top_k_accuracy_score",
        "top_k_categorical_accuracy",
        "sparse_top_k_categorical_accuracy",
    )
    suits = frozenset({"classes"})
    greater_is_better = True

    k: Positive = 2
    """How many of the largest outputs count as a prediction."""

    def check(self, output: Shape, wants: TargetKind) -> None:
        if self.k >= output[0]:
            message = f"top_k_accuracy is 1 for any outputs: k is {self.k}, and there are {output[0]} classes"
            raise ShapeError(message, f"write a k below {output[0]}")

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        import torch

        counts = target >= 0
        own = target.where(counts, 0)[:, None]
        score = output.gather(1, own)
        before = torch.arange(output.shape[1], device=output.device) < own
        ahead = (output > score) | ((output == score) & before)
        return ahead.sum(1) < self.k, counts
