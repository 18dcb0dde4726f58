from __future__ import annotations

from dlrun.components.layers import Container, Wiring
from dlrun.errors import SpecPath


class Input(Container):
    """Continue from one of the network's inputs, or from an earlier layer's output, instead of from the layer before.

    Shape: that of the named input or output
    Reference: Bromley, Guyon, LeCun, Säckinger and Shah, Signature verification using a Siamese network, 1993.
    Example: input: segments
    """

    layer_lists = ()

    source: str
    """The name of an input or of an earlier layer; a single input without a name is called `input`."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        return wiring.branch(self.source, value, (*path, "source"))
