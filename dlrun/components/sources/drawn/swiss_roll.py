from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlrun.components.sources.drawn._drawn import Drawn
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class SwissRoll(Drawn):
    """Points of a rolled sheet, and how far along the roll each lies, in radians; scikit-learn draws them.

    Shape: (3,), one number to predict
    Reference: Marsland, Machine learning: an algorithmic perspective, 2nd edition, 2014, chapter 6; scikit-learn user
        guide, section Generated datasets: make_swiss_roll.
    Example: swiss_roll: {rows: 1000, noise: 0.1}
    """

    synonyms = ("make_swiss_roll",)

    noise: NonNegative = 0.0
    """The standard deviation of the Gaussian noise that is added to each number of a row."""

    def width(self) -> int:
        return 3

    def counts(self) -> Mapping[str, int]:
        return {}

    def draw(self) -> tuple[Array, Array]:
        return self.by_scikit_learn(noise=self.noise)
