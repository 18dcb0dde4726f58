"""Metrics: values that are reported. Each batch returns numbers that are combined at the end of a split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from dlrun.language.component import Component
from dlrun.language.fields import OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch

MERGED = 64
"""Results of batches that are kept before `merge` makes one of them."""


class Metric(Component):
    """A value, or several, for a whole split, computed from the results of `measure` for its batches.

    A class number below 0 says that a row, or a position, does not count, such as padding: the result is that of the
    others alone. `measure` masks them, since to choose some of a batch would wait for the device.
    """

    family: ClassVar[str] = "metrics"
    suits: ClassVar[frozenset[TargetKind]]
    """The kinds of target that it is for."""
    greater_is_better: ClassVar[bool | None]
    """None where neither more nor less of it is better, so that it cannot choose the best weights."""
    combine: ClassVar[Literal["sum", "merge", "concatenate"]] = "sum"
    """How the results of the batches are combined: most are summed; some need a formula of their own, `merge`; a
    ranking of all rows needs all rows."""

    is_table: ClassVar[bool] = False
    """Whether its values are a table: a row for each true class, a column for each predicted one."""

    needs_every_class: ClassVar[bool] = False
    """Whether it is not defined on rows that lack a class that it is about."""
    needs_other_classes: ClassVar[bool] = False
    """Whether it is not defined on rows that are all of the class that it is about, where it is about one."""
    needs_two_classes: ClassVar[bool] = False
    """Whether it is not defined on rows that are all of one class, whichever that is."""
    needs_its_class: ClassVar[bool] = False
    """Whether it is 0 or not defined on rows without the class that it is about, where it is about one."""
    needs_spread: ClassVar[bool] = False
    """Whether it is not defined where a number that an output is compared with is the same in all rows."""

    output: str | None = None
    """The name of the network's output that it measures; required where there are several."""

    @property
    def named_class(self) -> str | None:
        """The class that the spec names for it; None where it names none."""
        return None

    @property
    def needs_one_class(self) -> bool:
        """Whether it can only be about one class."""
        return self.named_class is not None

    def is_of_one(self, classes: int | None) -> bool:
        """Whether the value is about one class.

        Args:
            classes: how many classes the target has; None where each output is a yes or no of its own.
        """
        return False

    @property
    def is_of_each(self) -> bool:
        """Whether it has a value for each class, or for each of several yes or no."""
        return False

    def value_names(self, classes: Sequence[str]) -> tuple[str, ...]:
        """The names of its values below its own; () for a metric of one value.

        Args:
            classes: the names of the classes, or of several yes or no, in the order of their numbers.
        """
        return tuple(classes) if self.is_of_each else ()

    def check(self, output: Shape, wants: TargetKind) -> None:
        """Check that the metric can measure such outputs.

        Args:
            output: the shape of one output, or of one of its positions.
            wants: how the target is read; one of those that the metric suits.

        Raises:
            ShapeError: it cannot.
        """

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """The result of a batch: a float64 tensor of a fixed size, or one row for each sample to concatenate.

        Args:
            output: (N, ...) the network's outputs.
            target: (N,) class numbers for `classes`, below 0 where a row does not count; otherwise numbers of the
                output's shape.
            output_form: what the outputs are; '' for logits, where the target is `classes` or `binary`.
        """
        raise NotImplementedError

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        """The most bytes that measuring so many rows holds: the results of `measure` that are kept, and what `value`
        takes."""
        raise NotImplementedError

    def merge(self, results: torch.Tensor) -> torch.Tensor:
        """The result for several batches together, where `combine` is `merge`; `results` has one more axis in front."""
        raise NotImplementedError

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        """The value, a tensor with no axes, or the values in the order of their names; NaN where one is not defined.

        Args:
            measured: the combined result of all batches.
            output: the shape of one output.
            of: the number of the class that the value is about; None where all count alike. For a binary target it
                is the 0 or 1 that stands for the class.
            output_form: what the outputs are.
        """
        raise NotImplementedError
