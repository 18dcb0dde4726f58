"""Losses: the functions that training minimizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.language.fields import OutputForm, PositiveFloat
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Range, Shape

if TYPE_CHECKING:
    import torch


class Loss(Component):
    """Compares a batch of outputs (N, ...) with its targets and returns the mean over the batch."""

    family: ClassVar[str] = "losses"
    wants: ClassVar[TargetKind]
    """How the target is read: one class number for each row, 0 or 1 for each output, or numbers."""

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
    def of_input(self) -> str | None:
        """The name of the input that the outputs are compared with instead of a target from the data (`input` for the
        only one); None where the data has the target."""
        return None

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        """Check that the loss can take these outputs; `output_form` is what the last layer makes of them.

        Raises:
            ShapeError: it cannot.
        """
        raise NotImplementedError

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range | None:
        """The lowest and highest probability that outputs in a range can give a class; None for a loss on numbers."""
        return None

    def __call__(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """The mean loss of a batch, a tensor with no axes."""
        raise NotImplementedError
