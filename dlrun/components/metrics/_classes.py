"""Shared by the metrics of classes: which rows count, what an output decides, and how often each class occurs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch

HALF: dict[OutputForm, float] = {
    "probabilities": 0.5,
    "distribution": 0.5,
    "log_probabilities": math.log(0.5),
    "log_distribution": math.log(0.5),
    "": 0.0,
}
"""The output that means a probability of one half, by the form of the outputs."""


def decide(output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
    """The class number of each row (N,), or yes or no in the outputs' shape for binary targets.

    For a target of (N,) class numbers it is the largest output, the first of equal ones; otherwise an output means yes
    if its probability is at least one half.
    """
    if target.dim() == 1:
        return output.argmax(dim=1)
    return output >= HALF[output_form]


class Counted(Metric):
    """A metric that is computed from counts of each class: hits, predictions and occurrences."""

    suits = frozenset({"classes", "binary"})
    greater_is_better = True

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(4, 1, classes): correct predictions, predictions and occurrences of each class, and all rows that count.

        Each of several binary outputs has these of its own, of the classes 0 and 1: (4, outputs, 2).
        """
        import torch

        decided = decide(output, target, output_form)
        if target.dim() == 1:
            counts = target >= 0
            nothing = target.new_zeros(output.shape[1])
            truth = target.where(counts, 0)
            hits = nothing.scatter_add(0, truth, (decided == target).long())
            answers, occurrences = (nothing.scatter_add(0, numbers, counts.long()) for numbers in (decided, truth))
            return torch.stack((hits, answers, occurrences, counts.sum().expand_as(nothing))).double()[:, None]
        answers, truth = decided.flatten(1), target.flatten(1) > 0
        hits, yes, true = (answers & truth).sum(0), answers.sum(0), truth.sum(0)
        rows = torch.full_like(hits, len(target))
        of_0 = torch.stack((rows - yes - true + hits, rows - yes, rows - true, rows))
        return torch.stack((of_0, torch.stack((hits, yes, true, rows))), 2).double()

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * (9 if wants == "classes" else 15) * numel(output)
