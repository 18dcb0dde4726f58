from __future__ import annotations

from dlrun.components.layers.convolution._conv_transpose import TransposedConvolution
from dlrun.language.fields import Counts1d, Sizes1d


class ConvTranspose1d(TransposedConvolution):
    """Multiply each step by a kernel and add up the overlaps: a convolution's gradient, used to enlarge a sequence.

    Shape: (C, L) -> (out_channels, L'),
        L' = (L - 1)*stride - 2*padding + dilation*(kernel_size - 1) + output_padding + 1
    Reference: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4.
    Example: conv_transpose1d: {out_channels: 16, kernel_size: 2, stride: 2}
    """

    synonyms = ("conv1d_transpose", "deconv1d")
    rank = 1

    kernel_size: Sizes1d
    """Length of a kernel."""
    stride: Sizes1d = 1
    """Distance in the output between neighbouring steps of the input."""
    dilation: Sizes1d = 1
    """Distance between the steps that a kernel reads."""
    padding: Counts1d = 0
    """Steps cut off on each side of the result."""
    output_padding: Counts1d = 0
    """Steps added at the end of the result; smaller than stride or dilation."""
