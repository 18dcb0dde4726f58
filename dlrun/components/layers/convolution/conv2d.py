from __future__ import annotations

from dlrun.components.layers.convolution._convolution import Convolution
from dlrun.language.fields import Padding2d, Sizes2d


class Conv2d(Convolution):
    """Slide `out_channels` kernels over an image.

    Shape: (C, H, W) -> (out_channels, H', W'), H' = (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1;
        ceil(H / stride) with padding `same`
    Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
    Example: conv2d: {out_channels: 32, kernel_size: 3, padding: same}
    """

    synonyms = ("conv", "convolution", "convolution2d", "conv_2d")
    rank = 2

    kernel_size: Sizes2d
    """Height and width of a kernel; one number for both."""
    stride: Sizes2d = (1, 1)
    """How far a kernel moves at each step."""
    dilation: Sizes2d = (1, 1)
    """Distance between the pixels that a kernel reads."""
    padding: Padding2d = (0, 0)
    """Zeros added on each side. `same`: as many as make the output ceil(input / stride), an odd one at the end, as in
    TensorFlow. `full`: dilation*(kernel_size - 1), every position where kernel and input overlap. `valid`: none."""
