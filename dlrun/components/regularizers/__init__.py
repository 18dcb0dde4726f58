"""Regularizers: penalties on weights, added to the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    import torch


class Regularizer(Component):
    """A penalty on weights. Biases and the scales of norm layers are left out by default."""

    family: ClassVar[str] = "regularizers"
    main: ClassVar[str | None] = "coefficient"

    coefficient: NonNegative
    """The factor on the sum before it is added to the loss."""
    weights: str = "*"
    """The weights to penalize: a pattern (`*` and `?`) of weight names, or of layer names, which includes all weights
    inside."""
    include_biases: bool = False
    """Also penalize biases."""
    include_scales: bool = False
    """Also penalize the scales of norm layers."""

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        """The penalty on all these weights together, a tensor with no axes."""
        raise NotImplementedError
