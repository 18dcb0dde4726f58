from __future__ import annotations

from dlrun.components.layers.convolution._conv_transpose import TransposedConvolution
from dlrun.language.fields import Counts2d, Sizes2d


class ConvTranspose2d(TransposedConvolution):
    """Multiply each pixel by a kernel and add up the overlaps: a convolution's gradient, used to enlarge an image.

    Shape: (C, H, W) -> (out_channels, H', W'),
        H' = (H - 1)*stride - 2*padding + dilation*(kernel_size - 1) + output_padding + 1
    Reference: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4.
    Example: conv_transpose2d: {out_channels: 16, kernel_size: 2, stride: 2}
    """

    synonyms = ("conv2d_transpose", "deconv", "deconv2d")
    rank = 2

    kernel_size: Sizes2d
    """Height and width of a kernel; one number for both."""
    stride: Sizes2d = (1, 1)
    """Distance in the output between neighbouring pixels of the input."""
    dilation: Sizes2d = (1, 1)
    """Distance between the pixels that a kernel reads."""
    padding: Counts2d = (0, 0)
    """Rows and columns cut off on each side of the result."""
    output_padding: Counts2d = (0, 0)
    """Rows and columns added at the end of the result; smaller than stride or dilation."""
