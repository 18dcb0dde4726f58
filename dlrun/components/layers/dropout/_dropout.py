"""The base of the dropouts."""

from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import Share


class AnyDropout(TorchLayer):
    """Drops a share of its input, in training only."""

    p: Share = 0.5
    """The share that is dropped; 1 - p is kept."""
