from __future__ import annotations

import math

from dlrun.components.constraints import NumbersConstraint
from dlrun.shapes import Range


class NonNegative(NumbersConstraint):
    """Put 0 in place of each weight below 0.

    Shape: max(w, 0)
    Reference: Lee and Seung, Learning the parts of objects by non-negative matrix factorization, 1999.
    Example: non_negative
    """

    synonyms = ("non_neg", "nonneg", "nonnegative")

    def allowed(self) -> Range:
        return 0.0, math.inf
