from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._of_class import OfClass
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch

AT_A_TIME = 1 << 22
"""How many scores are turned into probabilities at a time."""
RANKED = 7
"""Numbers of 8 bytes that ranking the scores of a class takes for each row."""


class RocAuc(OfClass):
    """The probability that a row of the class gets a higher score than a row of another class; ties count as half.

    The value is exact, so all scores are kept until the end of an epoch or split: 4 bytes for each row and class, which
    `check` counts.

    With more than two classes: each class against the rest, then the mean. With several binary outputs: each output,
    then the mean. NaN where a class has no rows, or all.

    Shape: the area under the curve of true against false positives
    Reference: Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982.
    Example: roc_auc
    """

    synonyms = ("auc", "auroc")
    suits = frozenset({"classes", "binary"})
    greater_is_better = True
    combine = "concatenate"
    needs_every_class = True
    needs_spread = True

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(N, k + 1): the k outputs of each row and its class number; or (N, 2*k) for binary targets: the k outputs,
        then whether each is yes. They stay float32, in which class numbers are exact up to 2**24."""
        import torch

        target = target[:, None] if target.dim() == 1 else target.flatten(1)
        return torch.cat((output.flatten(1), target.to(output.dtype)), dim=1)

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        outputs = numel(output)
        kept = 4 * rows * (outputs + 1 if wants == "classes" else 2 * outputs)
        if wants != "classes" or outputs == 2:
            return kept + 8 * rows * RANKED
        at_a_time = min(outputs, max(1, AT_A_TIME // rows))
        return kept + 8 * rows * (2 + at_a_time + max(at_a_time // 2, RANKED))

    def value(self, measured: torch.Tensor, output: Shape, of: int | None) -> torch.Tensor:
        import torch

        outputs = numel(output)
        scores, truth = measured[:, :outputs], measured[:, outputs:]
        if truth.shape[1] == outputs:
            areas = [_area(scores[:, i].double(), truth[:, i] == 1) for i in range(outputs)]
        elif outputs == 2:
            areas = [_area(scores[:, 1].double() - scores[:, 0].double(), truth[:, 0] == 1)]
        else:
            areas = _against_the_rest(scores, truth[:, 0], range(outputs) if of is None else (of,))
        return torch.stack(areas).mean()


def _against_the_rest(scores: torch.Tensor, classes: torch.Tensor, chosen: Sequence[int]) -> list[torch.Tensor]:
    """The area of each chosen class by its probability, since logits of different rows are on different scales.

    A few classes at a time, so that memory holds little besides the scores.
    """
    import torch

    portion = max(1, AT_A_TIME // len(scores))
    largest = scores.amax(1, keepdim=True).double()
    total = torch.zeros_like(largest)
    for start in range(0, scores.shape[1], portion):
        total += scores[:, start : start + portion].double().sub_(largest).exp_().sum(1, keepdim=True)

    def of(part: Sequence[int]) -> list[torch.Tensor]:
        shares = scores[:, list(part)].double().sub_(largest).exp_().div_(total)
        return [_area(column, classes == number) for column, number in zip(shares.T, part, strict=True)]

    return [area for start in range(0, len(chosen), portion) for area in of(chosen[start : start + portion])]


def _area(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The share of (positive, negative) pairs in the right order, from the ranks of the positive rows; equal scores
    have the same rank. NaN where there is no such pair, or a score is NaN."""
    import torch

    _, group, sizes = torch.unique(scores, return_inverse=True, return_counts=True)
    last = sizes.cumsum(0).double()
    ranks = (last - (sizes - 1) / 2)[group]
    yes = truth.sum(dtype=torch.float64)
    no = len(truth) - yes
    area = ((ranks * truth).sum() - yes * (yes + 1) / 2) / (yes * no)
    return area.where(~scores.isnan().any(), float("nan"))
