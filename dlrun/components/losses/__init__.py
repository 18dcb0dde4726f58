"""Losses: the functions that training minimizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from dlrun.errors import LocatedError
from dlrun.language.component import Component
from dlrun.language.fields import OutputForm, PositiveFloat
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Range, Shape

if TYPE_CHECKING:
    import torch


DATA = "data"
"""What a loss calls the target of the data."""
IGNORED = -100
"""The class number of a position that does not count, as torch has it."""


class WeightError(LocatedError):
    """The weights of classes do not fit the classes of the data; `at` is the path below the loss."""


class Compared(NamedTuple):
    """A batch of outputs with what they are compared with: see `Loss.__call__`."""

    output: torch.Tensor
    target: torch.Tensor
    output_form: OutputForm
    weight: torch.Tensor | None
    further: Sequence[torch.Tensor]


class Loss(Component):
    """Compares a batch of outputs (N, ...) with its targets and returns the mean over the batch."""

    family: ClassVar[str] = "losses"
    wants: ClassVar[TargetKind]
    """How the target is read: one class number for each row, 0 or 1 for each output, or numbers."""

    by_row: ClassVar[bool] = False
    """Whether it takes the positions of a row together, not each by itself."""
    predicts: ClassVar[bool] = True
    """Whether its outputs predict the target, so that metrics and baselines can be compared by it."""
    of_probabilities: ClassVar[bool] = False
    """Whether it reads the outputs as probabilities of classes, or as their logits; not as scores of any meaning."""
    lowest_target: ClassVar[float | None] = None
    """The least number that a target may be; None for any."""
    target_sum: ClassVar[float | None] = None
    """What the numbers of each row's target sum to; None for anything."""

    output: str | None = None
    """The name of the network's output that it compares; required where there are several."""
    coefficient: PositiveFloat = 1.0
    """The factor on this loss, where several are added."""

    def changeable(self) -> dict[str, float]:
        return {"coefficient": self.coefficient}

    @property
    def named_class(self) -> str | None:
        """The class that the spec names for the target value 1; None where it names none."""
        return None

    @property
    def compared_with(self) -> str | float:
        """What the outputs are compared with: the target of the data (`data`), an input (`input` is the only one) or
        another output by its name, or one number for all."""
        return DATA

    @property
    def follows_target(self) -> bool:
        """Whether the gradient reaches the other output that the outputs are compared with."""
        return False

    @property
    def further(self) -> Mapping[str, str]:
        """The names of further outputs that it takes, none of which may be below 0, by the settings that name them; in
        the order in which it takes them."""
        return {}

    @property
    def ignored_class(self) -> str | None:
        """The class whose positions do not count; None where the spec names none."""
        return None

    def weights(self, labels: Sequence[str], counts: Sequence[int | None] | None) -> tuple[float, ...] | None:
        """The weight of each class in the loss, in their order; None where all count alike.

        Args:
            labels: the classes; for a binary target that for which it is 0, and that for which it is 1.
            counts: the training rows, or positions, of each, None for a class that does not count; None where they are
                not known yet, and () where the target is probabilities.

        Raises:
            WeightError: the weights do not fit the classes.
        """
        return None

    def amount(self, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """How much of a batch counts, a tensor with no axes: the divisor of its mean where rows count unequally."""
        raise NotImplementedError

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        """Check that the loss can take these outputs; `output_form` is what the last layer makes of them.

        Raises:
            ShapeError: it cannot.
        """
        raise NotImplementedError

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range | None:
        """The lowest and highest probability that outputs in a range can give a class; None for a loss on numbers."""
        return None

    def __call__(
        self,
        output: torch.Tensor,
        target: torch.Tensor,
        output_form: OutputForm,
        weight: torch.Tensor | None = None,
        further: Sequence[torch.Tensor] = (),
    ) -> torch.Tensor:
        """The mean loss of a batch, a tensor with no axes.

        Args:
            output: (N, ...) the network's outputs; (M, classes) for the M positions of all rows.
            target: what they are compared with: (N,) or (M,) class numbers, of which those below 0 do not count, or
                probabilities or numbers in the shape of the outputs.
            output_form: what the last layer makes of the outputs.
            weight: what `weights` gives, where it gives some.
            further: the outputs that `further` names.
        """
        return self.mean(Compared(output, target, output_form, weight, further))

    def mean(self, batch: Compared) -> torch.Tensor:
        """The mean loss of a batch, a tensor with no axes."""
        raise NotImplementedError
