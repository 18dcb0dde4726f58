from __future__ import annotations

from dlrun.components.layers import Container, Wiring
from dlrun.errors import SpecPath


class Input(Container):
    """Go on from one of the network's inputs, or from what an earlier layer gave, instead of from the layer before.

    Shape: that of what is named
    Reference: Bromley, Guyon, LeCun, Säckinger and Shah, Signature verification using a Siamese network, 1993.
    Example: input: segments
    """

    layer_lists = ()

    source: str
    """The name of an input, or of an earlier layer; the only input is called `input` unless it has a name."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        return wiring.branch(self.source, value, (*path, "source"))
