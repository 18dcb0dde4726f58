from __future__ import annotations

from dlrun.components.layers import Container, Wiring
from dlrun.errors import SpecPath


class Use(Container):
    """Apply an earlier layer again, with the same weights, which are counted once.

    Shape: that of the named layer, for this input
    Reference: Bromley, Guyon, LeCun, Säckinger and Shah, Signature verification using a Siamese network, 1993.
    Example: use: stem
    """

    layer_lists = ()

    layer: str
    """The name of the earlier layer."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        return wiring.reuse(self, self.layer, value, path)
