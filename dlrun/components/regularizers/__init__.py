"""Regularizers: penalties on weights, added to the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    import torch


class Regularizer(Component):
    """A penalty on weights. Biases, and the scales of norm layers, are left out unless asked for."""

    family: ClassVar[str] = "regularizers"
    main: ClassVar[str | None] = "coefficient"

    coefficient: NonNegative
    """What the sum is multiplied by before it is added to the loss."""
    weights: str = "*"
    """The weights it acts on: a pattern (`*` and `?`) of weight names, or of layers with all inside."""
    include_biases: bool = False
    """Penalize biases too."""
    include_scales: bool = False
    """Penalize the scales of norm layers too."""

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        """The penalty on all these weights together, a 0-dimensional tensor."""
        raise NotImplementedError
