from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.shapes import Shape, ShapeError, Window, need_rank, numel, show


class Softmax2d(TorchLayer):
    """Turn the channels of each pixel into shares that sum to 1; the same as `softmax: 0`, for images only.

    Shape: (C, H, W) -> (C, H, W), y = exp(x) / sum(exp(x)) along C
    Reference: Long, Shelhamer and Darrell, Fully convolutional networks for semantic segmentation, 2015.
    Example: softmax2d
    """

    padding_is = "refused"
    torch_class = "Softmax2d"
    output_form = "distribution"

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "channels, height, width")
        if shape[0] == 1:
            raise ShapeError(f"{show(shape)} has a single channel, so the output is always 1", "use `sigmoid`")
        return shape

    def total(self, *shapes: Shape) -> float | None:
        return float(numel(shapes[0][1:]))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (None, Window(), Window())

    def output_range(self, taken: Range) -> Range:
        return 0.0, 1.0
