"""Metrics: what is watched. Each sums up a split in numbers that add, so that nothing is read before the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlrun.language.component import Component
from dlrun.language.fields import OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Metric(Component):
    """A figure of a whole split, computed from what `measure` gives for its batches."""

    family: ClassVar[str] = "metrics"
    suits: ClassVar[frozenset[TargetKind]]
    """The kinds of target that it makes sense for."""
    greater_is_better: ClassVar[bool]
    combine: ClassVar[Literal["sum", "concatenate"]] = "sum"
    """How the batches' measures become the split's: most add up; an order over all rows needs all rows."""

    output: str | None = None
    """The output of the network that it measures, by name; needed where there are several."""

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """What a batch contributes: a float64 tensor of a fixed size, or one row a sample to concatenate.

        Args:
            output: (N, ...) the network's outputs.
            target: (N,) class numbers for `classes`; otherwise numbers shaped as the output.
            ending: what the outputs are; for `binary` targets logits unless probabilities.
        """
        raise NotImplementedError

    def value(self, measured: torch.Tensor, output: Shape) -> torch.Tensor:
        """The figure, a 0-dimensional tensor; NaN where it is not defined. `output` is one sample's."""
        raise NotImplementedError
