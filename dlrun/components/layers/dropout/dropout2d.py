from __future__ import annotations

from dlrun.components.layers.dropout._dropout import AnyDropout
from dlrun.shapes import Shape, need_rank


class Dropout2d(AnyDropout):
    """In training, set each channel of an image to 0 with probability p and multiply the others by 1/(1 - p).

    Neighbours in a channel are similar, so dropping single numbers would remove little information.

    Shape: (C, H, W) -> (C, H, W)
    Reference: Tompson, Goroshin, Jain, LeCun and Bregler, Efficient object localization using convolutional
        networks, 2014.
    Example: dropout2d: 0.2
    """

    channel_axis = "first"
    drops = 2
    synonyms = ("spatial_dropout2d",)
    padding_is = "refused"
    torch_class = "Dropout2d"

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "channels, height, width")
        return shape
