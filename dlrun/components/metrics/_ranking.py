"""The base of the metrics of how well scores rank the rows of a class before all others."""

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


class Ranking(OfClass):
    """A value for each class of how its rows, and all others, lie among the scores; then the mean over the classes.

    The value is exact, so all scores are kept until the end of an epoch or split: 4 bytes for each row and class, which
    `check` counts.
    """

    suits = frozenset({"classes", "binary"})
    greater_is_better = True
    combine = "concatenate"
    needs_every_class = True

    def ranked(self, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
        """The value of a class.

        Args:
            yes: how many rows of the class have each score, from the lowest score on.
            no: how many other rows.
        """
        raise NotImplementedError

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

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        import torch

        outputs = numel(output)
        scores, truth = measured[:, :outputs], measured[:, outputs:]
        if truth.shape[1] == outputs:
            scores, truth = (-scores, 1 - truth) if of == 0 else (scores, truth)
            values = [self._of(scores[:, i].double(), truth[:, i] == 1) for i in range(outputs)]
            return torch.stack(values).mean()
        classes = truth[:, 0]
        numbers = range(outputs) if of is None else (of,)
        if outputs == 2:
            between = scores[:, 1].double() - scores[:, 0].double()
            values = [self._of(between if number else -between, classes == number, classes >= 0) for number in numbers]
        elif output_form in ("probabilities", "distribution"):
            values = [self._of(scores[:, number].double(), classes == number, classes >= 0) for number in numbers]
        else:
            values = self._of_logits(scores, classes, numbers)
        return torch.stack(values).mean()

    def _of_logits(self, scores: torch.Tensor, classes: torch.Tensor, chosen: Sequence[int]) -> list[torch.Tensor]:
        """The value of each chosen class by its probability, since logits of different rows are on different scales.

        A few classes at a time, so that memory holds little besides the scores.
        """
        import torch

        portion = max(1, AT_A_TIME // len(scores))
        largest = scores.amax(1, keepdim=True).double()
        total = torch.zeros_like(largest)

        def powers(part: torch.Tensor) -> torch.Tensor:
            return part.to(torch.float64, copy=True).sub_(largest).exp_()

        for start in range(0, scores.shape[1], portion):
            total += powers(scores[:, start : start + portion]).sum(1, keepdim=True)

        def of(part: Sequence[int]) -> list[torch.Tensor]:
            shares = powers(scores[:, list(part)]).div_(total)
            columns = zip(shares.T, part, strict=True)
            return [self._of(column, classes == number, classes >= 0) for column, number in columns]

        return [value for start in range(0, len(chosen), portion) for value in of(chosen[start : start + portion])]

    def _of(self, scores: torch.Tensor, truth: torch.Tensor, counts: torch.Tensor | None = None) -> torch.Tensor:
        """The value of a class on the rows that count; NaN where a score is NaN."""
        import torch

        if counts is not None:
            scores = scores.where(counts, scores.new_zeros(()))
        group, sizes = torch.unique(scores, return_inverse=True, return_counts=True)[1:]
        nothing = torch.zeros_like(sizes, dtype=torch.float64)
        yes = nothing.scatter_add(0, group, truth.double())
        no = sizes - yes if counts is None else nothing.scatter_add_(0, group, counts.double()).sub_(yes)
        del group, sizes, nothing
        value = self.ranked(yes, no)
        return value.where(~scores.isnan().any(), float("nan"))
