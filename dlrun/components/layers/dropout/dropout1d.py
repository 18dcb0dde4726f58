from __future__ import annotations

from dlrun.components.layers.dropout._dropout import AnyDropout
from dlrun.shapes import Shape, need_rank


class Dropout1d(AnyDropout):
    """In training, set each channel of a sequence to 0 with probability p and multiply the others by 1/(1 - p).

    Neighbours in a channel are similar, so dropping single numbers would remove little information.

    Shape: (C, L) -> (C, L)
    Reference: Tompson, Goroshin, Jain, LeCun and Bregler, Efficient object localization using convolutional
        networks, 2014.
    Example: dropout1d: 0.2
    """

    channel_axis = "first"
    drops = 2
    synonyms = ("spatial_dropout1d",)
    padding_is = "refused"
    torch_class = "Dropout1d"

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "channels, length")
        return shape
