from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dlrun.components.initializers import Initializer
from dlrun.language.component import LARGEST

if TYPE_CHECKING:
    import torch


class Uniform(Initializer):
    """Uniform distribution between two bounds.

    Shape: w ~ U(a, b)
    Reference: torch.nn.init.uniform_.
    Example: uniform
    """

    synonyms = ("random_uniform",)

    a: float = -0.05
    """The lower bound."""
    b: float = 0.05
    """The upper bound."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.a > self.b:
            raise ValueError(f"the lower bound a = {self.a:g} is above the upper bound b = {self.b:g}")
        if self.b - self.a > LARGEST:
            span = f"from a = {self.a:g} to b = {self.b:g}"
            raise ValueError(f"{span} is more than float32 holds, whose largest number is {LARGEST:.3g}")
        return self

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.uniform_(weight, self.a, self.b)
