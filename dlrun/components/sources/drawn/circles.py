from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dlrun.components.sources.drawn._drawn import Drawn, halves
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Circles(Drawn):
    """A circle within a circle, a class each (1 is the inner one); scikit-learn draws them.

    Shape: (2,), two classes
    Reference: scikit-learn user guide, section Generated datasets: make_circles.
    Example: circles: {rows: 500, noise: 0.05, factor: 0.5}
    """

    synonyms = ("make_circles",)

    noise: NonNegative = 0.1
    """The standard deviation of the Gaussian noise that is added to each number."""
    factor: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """The radius of the inner circle; that of the outer one is 1."""

    def width(self) -> int:
        return 2

    def counts(self) -> Mapping[str, int]:
        return halves(self.rows)

    def draw(self) -> tuple[Array, Array]:
        return self.by_scikit_learn(noise=self.noise or None, factor=self.factor)
