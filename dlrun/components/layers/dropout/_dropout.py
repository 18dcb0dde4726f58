"""The base of the dropouts."""

from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import Share


def dropped(taken: Range, p: float) -> Range:
    """The range of numbers of which a share p is set to 0 and the others are multiplied by 1/(1 - p)."""
    if not p:
        return taken
    factor = 1 / (1 - p) if p < 1 else 1.0
    return min(0.0, taken[0] * factor), max(0.0, taken[1] * factor)


class AnyDropout(TorchLayer):
    """Drops a share of its input, in training only."""

    p: Share = 0.5
    """The share that is dropped; 1 - p is kept."""

    def output_range(self, taken: Range) -> Range:
        return dropped(taken, self.p)
