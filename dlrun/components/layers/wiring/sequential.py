from __future__ import annotations

from dlrun.components.layers import Container, Layers, Wiring
from dlrun.errors import Path


class Sequential(Container):
    """Layers as one, to give them a name; a block or a repeat becomes this.

    Shape: that of the last layer
    Reference: torch.nn.Sequential.
    Example: sequential: {name: stem, layers: [{linear: 8}, relu]}
    """

    layers: Layers
    """The layers, in order."""
    label: str = "sequential"
    """What automatic names are made of where no name is given, such as the block's name."""

    def called(self) -> str:
        return self.label

    def wire(self, wiring: Wiring, value: int, path: Path) -> int:
        return wiring.chain(self.layers, value, (*path, "layers"))
