from __future__ import annotations

from typing import Self

from pydantic import model_validator

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Hardtanh(TorchLayer):
    """Limit numbers to the range between two bounds.

    Shape: (...) -> (...), y = min(max(x, min_val), max_val)
    Reference: Collobert, Large scale machine learning, 2004.
    Example: hardtanh: {min_val: 0, max_val: 4}
    """

    synonyms = ("clip", "clamp")
    torch_class = "Hardtanh"

    min_val: float = -1.0
    """The lower bound."""
    max_val: float = 1.0
    """The upper bound."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_val >= self.max_val:
            raise ValueError(f"min_val = {self.min_val:g} must be below max_val = {self.max_val:g}")
        return self

    def output_range(self, taken: Range) -> Range:
        low, high = (min(max(end, self.min_val), self.max_val) for end in taken)
        return low, high
