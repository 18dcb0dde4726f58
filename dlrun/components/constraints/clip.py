from __future__ import annotations

import math
from typing import Self

from pydantic import model_validator

from dlrun.components.constraints import NumbersConstraint
from dlrun.shapes import Range


class Clip(NumbersConstraint):
    """Put a bound in place of each weight that is beyond it.

    Shape: min(max(w, min), max)
    Reference: Arjovsky, Chintala and Bottou, Wasserstein generative adversarial networks, 2017.
    Example: clip: {min: -0.01, max: 0.01}
    """

    synonyms = ("clamp", "weight_clipping", "clip_weights", "clip_constraint")

    min: float | None = None
    """The lower bound; none unless given."""
    max: float | None = None
    """The upper bound; none unless given."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give a bound, `min` or `max` or both")
        if self.min is not None and self.max is not None and not self.min < self.max:
            raise ValueError(f"min is below max; received {self.min:g} and {self.max:g}")
        return self

    def allowed(self) -> Range:
        return -math.inf if self.min is None else self.min, math.inf if self.max is None else self.max
