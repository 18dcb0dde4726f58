"""The base of the dropouts."""

from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import Share


class AnyDropout(TorchLayer):
    """Drops a share of its input, in training only."""

    p: Share = 0.5
    """The share that is dropped; 1 - p is kept."""

    def output_range(self, taken: Range) -> Range:
        kept = 1 - self.p
        return (
            (min(0.0, taken[0] / kept), max(0.0, taken[1] / kept)) if kept else (min(0.0, taken[0]), max(0.0, taken[1]))
        )
