from __future__ import annotations

from dlrun.components.layers.dropout._dropout import AnyDropout
from dlrun.shapes import Shape, need_rank


class Dropout3d(AnyDropout):
    """In training, set each channel of a volume to 0 with probability p and multiply the others by 1/(1 - p).

    Neighbours in a channel are similar, so dropping single numbers would remove little information.

    Shape: (C, D, H, W) -> (C, D, H, W)
    Reference: Tompson, Goroshin, Jain, LeCun and Bregler, Efficient object localization using convolutional
        networks, 2014.
    Example: dropout3d: 0.2
    """

    channel_axis = "first"
    drops = 2
    synonyms = ("spatial_dropout3d",)
    padding_is = "refused"
    torch_class = "Dropout3d"

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "channels, depth, height, width")
        return shape
