"""The bases of the metrics that are a mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Mean(Metric):
    """A function of the mean of a number for each row, position or output."""

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The numbers of a batch, and which of them count; None where all do."""
        raise NotImplementedError

    def of_mean(self, mean: torch.Tensor) -> torch.Tensor:
        """The value, from the mean."""
        return mean

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(2,): the sum of the numbers, and their count."""
        import torch

        numbers, counts = self.each(output, target, output_form)
        if counts is None:
            count = numbers.new_full((), numbers.numel(), dtype=torch.float64)
        else:
            numbers, count = numbers.where(counts, 0), counts.sum(dtype=torch.float64)
        return torch.stack((numbers.sum(dtype=torch.float64), count))

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 2

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        return self.of_mean(measured[0] / measured[1])


class Averaged(Mean):
    """The mean of a function of the error over all numbers."""

    suits = frozenset({"numbers"})
    greater_is_better = False

    def weigh(self, error: torch.Tensor) -> torch.Tensor:
        """The function of each error."""
        raise NotImplementedError

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self.weigh(output.double() - target), None
