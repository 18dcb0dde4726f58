"""The base of the normalizations over the last axes of each sample."""

from __future__ import annotations

from typing import ClassVar

from dlrun.components.layers import Padding
from dlrun.components.layers.normalization._norm import Norm
from dlrun.language.fields import Positive
from dlrun.shapes import Shape, ShapeError, numel, show


class LastAxes(Norm):
    """Normalizes the last axes of each sample, then scales every number by its own weight."""

    of_one: ClassVar[str]
    """What becomes of a single number."""

    dims: Positive = 1
    """Number of last axes that are normalized together; their sizes are inferred."""
    elementwise_affine: bool = True
    """Scale every number afterwards, and shift it where the layer has a bias, with trained weights."""

    def together(self, shape: Shape) -> int:
        return numel(shape[-self.dims :])

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < self.dims:
            raise ShapeError(f"normalizes the last {self.dims} axes; received {show(shape)}")
        if self.together(shape) == 1:
            which = f"the last {self.dims} axes" if self.dims > 1 else "the last axis"
            message = f"{which} of {show(shape)}: a single number, {self.of_one}"
            raise ShapeError(message, "use batch_norm, or more outputs before it")
        return shape

    def treats_padding(self, shape: Shape) -> Padding:
        return "per_step" if self.dims < len(shape) else "refused"

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[-self.dims :]} if self.elementwise_affine else {}
