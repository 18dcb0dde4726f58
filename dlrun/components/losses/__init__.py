"""Losses: what training minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.language.fields import OutputForm, PositiveFloat
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Loss(Component):
    """Compares a batch of outputs (N, ...) with its targets; gives the mean over the batch."""

    family: ClassVar[str] = "losses"
    wants: ClassVar[TargetKind]
    """How the target is read: a class number a row, 0 or 1 for each output, or numbers."""

    output: str | None = None
    """The output of the network that it judges, by name; needed where there are several."""
    coefficient: PositiveFloat = 1.0
    """What it is multiplied by, next to the other losses of a list."""

    @property
    def of_input(self) -> str | None:
        """The input that the outputs are compared with in place of a target of the data: its name, or `input` for the
        only one; None where the data gives the target."""
        return None

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        """Refuse outputs that the loss cannot take; `output_form` says what the last layer makes them.

        Raises:
            ShapeError: with the way out.
        """
        raise NotImplementedError

    def __call__(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """The mean loss of a batch, a 0-dimensional tensor."""
        raise NotImplementedError
