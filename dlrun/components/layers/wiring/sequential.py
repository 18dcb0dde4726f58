from __future__ import annotations

from dlrun.components.layers import Container, Layers, Wiring
from dlrun.errors import SpecPath


class Sequential(Container):
    """Several layers as one, to give them a name; blocks and repeats become this.

    Shape: that of the last layer
    Reference: torch.nn.Sequential.
    Example: sequential: {name: stem, layers: [{linear: 8}, relu]}
    """

    layers: Layers
    """The layers, in order."""
    label: str = "sequential"
    """The start of the automatic name where no name is given, such as the name of the block."""

    def called(self) -> str:
        return self.label

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        return wiring.chain(self.layers, value, (*path, "layers"))
