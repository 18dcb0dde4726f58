from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.constraints import NormConstraint
from dlrun.shapes import Range

if TYPE_CHECKING:
    import torch


class UnitNorm(NormConstraint):
    """Scale the weights of each output unit to the norm 1; weights that are all 0 stay as they are.

    Shape: w / ||w|| for the weights w that lead into one output unit
    Reference: Salimans and Kingma, Weight normalization, 2016.
    Example: unit_norm
    """

    synonyms = ("unitnorm", "unit_norm_constraint", "normalize")

    def allowed(self) -> Range:
        return 1.0, 1.0

    def factors(self, norms: torch.Tensor) -> torch.Tensor:
        return (1 / norms).where(norms > 0, 1)
