from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.constraints import NormConstraint
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Range

if TYPE_CHECKING:
    import torch


class MaxNorm(NormConstraint):
    """Scale the weights of each output unit down where their norm is above `max`; others keep their bits.

    Shape: w * min(1, max / ||w||) for the weights w that lead into one output unit
    Reference: Srebro, Rennie and Jaakkola, Maximum-margin matrix factorization, 2004; Srivastava, Hinton, Krizhevsky,
        Sutskever and Salakhutdinov, Dropout, 2014.
    Example: max_norm: 3
    """

    synonyms = ("maxnorm", "max_norm_constraint", "renorm")

    max: PositiveFloat
    """The largest norm."""

    def allowed(self) -> Range:
        return 0.0, self.max

    def factors(self, norms: torch.Tensor) -> torch.Tensor:
        return (self.max / norms).clamp(max=1)
