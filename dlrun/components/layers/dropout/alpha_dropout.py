from __future__ import annotations

from dlrun.components.layers import EVERY, Range
from dlrun.components.layers.dropout._dropout import AnyDropout


class AlphaDropout(AnyDropout):
    """A dropout for use after selu: dropped numbers become selu's smallest value; mean and variance stay the same.

    Shape: (...) -> (...), y = a*x or a*d with probability p, plus b; d = -1.7580..., a = ((1 - p)*(1 + p*d**2))**-0.5,
        b = -a*p*d
    Reference: Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks, 2017.
    Example: alpha_dropout: 0.1
    """

    keeps_moments = True
    torch_class = "AlphaDropout"

    def output_range(self, taken: Range) -> Range:
        return EVERY if self.p else taken
