from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlrun.components.sources.drawn._drawn import Drawn
from dlrun.language.fields import NonNegative, Positive

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Regression(Drawn):
    """Standard normal numbers, and a weighted sum of them to predict; scikit-learn draws them.

    The weights are drawn too, from 0 to 100.

    Shape: (features,), one number to predict
    Reference: scikit-learn user guide, section Generated datasets: make_regression.
    Example: regression: {rows: 500, features: 10, noise: 5.0}
    """

    synonyms = ("make_regression", "linear")

    features: Positive = 10
    """How many numbers in each row; each has a weight."""
    noise: NonNegative = 0.0
    """The standard deviation of the Gaussian noise that is added to the target."""

    def width(self) -> int:
        return self.features

    def counts(self) -> Mapping[str, int]:
        return {}

    def draw(self) -> tuple[Array, Array]:
        return self.by_scikit_learn(n_features=self.features, n_informative=self.features, noise=self.noise)
