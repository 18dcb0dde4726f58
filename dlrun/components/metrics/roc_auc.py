from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class RocAuc(Metric):
    """The probability that a row of the class gets a higher score than a row of another class; ties count as half.

    With more than two classes: each class against the rest, then the mean. NaN where a class has no rows, or all.

    Shape: the area under the curve of true against false positives
    Reference: Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982.
    Example: roc_auc
    """

    synonyms = ("auc", "auroc")
    suits = frozenset({"classes", "binary"})
    greater_is_better = True
    combine = "concatenate"

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(N, 2*k): the k scores of each row, then whether each is correct."""
        import torch

        if target.dim() == 1:
            # Logits of different rows are on different scales; probabilities are not.
            scores = output.double() if output_form else output.double().softmax(dim=1)
            truth = target[:, None] == torch.arange(output.shape[1], device=output.device)
            if output.shape[1] == 2:
                scores, truth = scores[:, 1:], truth[:, 1:]
        else:
            scores, truth = output.double(), target
        return torch.cat((scores, truth.double()), dim=1)

    def value(self, measured: torch.Tensor, output: Shape) -> torch.Tensor:
        import torch

        scores, truths = measured.chunk(2, dim=1)
        return torch.stack([_area(s, t) for s, t in zip(scores.T, truths.T, strict=True)]).mean()


def _area(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The share of (positive, negative) pairs in the right order, from the ranks of the positive rows; equal scores
    have the same rank."""
    import torch

    _, group, sizes = torch.unique(scores, return_inverse=True, return_counts=True)
    last = sizes.cumsum(0).double()
    ranks = (last - (sizes - 1) / 2)[group]
    yes = truth.sum()
    no = len(truth) - yes
    return ((ranks * truth).sum() - yes * (yes + 1) / 2) / (yes * no)
