from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlrun.components.sources.drawn._drawn import Drawn, halves
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Moons(Drawn):
    """Two half circles that interleave, a class each; scikit-learn draws them.

    Shape: (2,), two classes
    Reference: scikit-learn user guide, section Generated datasets: make_moons.
    Example: moons: {rows: 500, noise: 0.2}
    """

    synonyms = ("make_moons", "two_moons")

    noise: NonNegative = 0.1
    """The standard deviation of the Gaussian noise that is added to each number."""

    def width(self) -> int:
        return 2

    def counts(self) -> Mapping[str, int]:
        return halves(self.rows)

    def draw(self) -> tuple[Array, Array]:
        return self.by_scikit_learn(noise=self.noise or None)
