"""The base of the activations that use all the numbers along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Padding
from dlrun.components.layers._torch import TorchLayer
from dlrun.shapes import Shape, ShapeError, Window, axis, numel, show

if TYPE_CHECKING:
    import torch


class AlongAxis(TorchLayer):
    """One of torch.nn's classes with a `dim`."""

    dim: int = -1
    """The axis, not counting the batch."""

    def output_shape(self, shape: Shape) -> Shape:
        at = axis(self.dim, len(shape))
        if shape[at] == 1:
            message = f"along axis {at} of {show(shape)} there is a single number, so the output is always the same"
            raise ShapeError(message, "choose another `dim`; one probability is a `sigmoid`")
        return shape

    def total(self, *shapes: Shape) -> float | None:
        if self.output_form != "distribution":
            return None
        (shape,) = shapes
        return numel(shape) / shape[axis(self.dim, len(shape))]

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        at = axis(self.dim, len(shape))
        return tuple(None if i == at else Window() for i in range(len(shape)))

    def treats_padding(self, shape: Shape) -> Padding:
        return "per_step" if axis(self.dim, len(shape)) else "refused"

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return getattr(nn, self.torch_class)(axis(self.dim, len(shape)) + 1)
