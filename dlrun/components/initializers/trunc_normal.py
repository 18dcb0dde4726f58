from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dlrun.components.initializers import Initializer
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class TruncNormal(Initializer):
    """Normal distribution without its ends: numbers beyond the bounds are drawn again.

    Shape: w ~ N(mean, std**2), given a <= w <= b
    Reference: torch.nn.init.trunc_normal_.
    Example: trunc_normal: 0.02
    """

    synonyms = ("truncated_normal",)

    std: PositiveFloat = 0.02
    """The standard deviation before the ends are cut off."""
    mean: float = 0.0
    """The mean before the ends are cut off."""
    a: float | None = None
    """The lower bound; mean - 2*std unless given."""
    b: float | None = None
    """The upper bound; mean + 2*std unless given."""

    @model_validator(mode="after")
    def _near(self) -> Self:
        low, high = self.bounds()
        if not low < high:
            raise ValueError(f"the lower bound a = {low:g} is not below the upper bound b = {high:g}")
        if low > self.mean + 2 * self.std or high < self.mean - 2 * self.std:
            raise ValueError(f"the bounds {low:g} and {high:g} are more than 2*std from the mean {self.mean:g}")
        return self

    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound."""
        low = self.mean - 2 * self.std if self.a is None else self.a
        return low, self.mean + 2 * self.std if self.b is None else self.b

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.trunc_normal_(weight, self.mean, self.std, *self.bounds())
