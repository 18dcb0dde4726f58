from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlrun.components.sources.drawn._drawn import Drawn, halves
from dlrun.language.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Spirals(Drawn):
    """Two spirals that interleave, a class each.

    With s evenly spaced from 0 to 1, the angle is a = 2 pi turns s and the radius r = 6.5 (1 - 12/13 s), which falls
    from 6.5 to 0.5. A point of class 0 is (r sin a, r cos a), and one of class 1 is (-r sin a, -r cos a). With 194
    rows, 3 turns and no noise, these are the points of the reference.

    Shape: (2,), two classes
    Reference: Lang, Witbrock, Learning to tell two spirals apart, 1988.
    Example: spirals: {rows: 194, noise: 0.1}
    """

    synonyms = ("spiral", "two_spirals")

    noise: NonNegative = 0.1
    """The standard deviation of the Gaussian noise that is added to each number."""
    turns: PositiveFloat = 3.0
    """How often each spiral goes around the center."""

    def width(self) -> int:
        return 2

    def counts(self) -> Mapping[str, int]:
        return halves(self.rows)

    def draw(self) -> tuple[Array, Array]:
        import numpy as np

        points, random = [], np.random.default_rng(self.seed)
        for sign, rows in zip((1, -1), self.counts().values(), strict=True):
            s = np.linspace(0, 1, rows)
            angle, radius = 2 * math.pi * self.turns * s, sign * 6.5 * (1 - 12 / 13 * s)
            points.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
        order = random.permutation(self.rows)
        noisy = np.concatenate(points)[order] + self.noise * random.standard_normal((self.rows, 2))
        return noisy, np.repeat([0, 1], list(self.counts().values()))[order]
