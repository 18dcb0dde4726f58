from __future__ import annotations

from dlrun.components.layers.convolution._conv_transpose import TransposedConvolution
from dlrun.language.fields import Counts3d, Sizes3d


class ConvTranspose3d(TransposedConvolution):
    """Multiply each voxel by a kernel and add up the overlaps: a convolution's gradient, used to enlarge a volume.

    Shape: (C, D, H, W) -> (out_channels, D', H', W'),
        D' = (D - 1)*stride - 2*padding + dilation*(kernel_size - 1) + output_padding + 1
    Reference: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4.
    Example: conv_transpose3d: {out_channels: 8, kernel_size: 2, stride: 2}
    """

    synonyms = ("conv3d_transpose", "deconv3d")
    rank = 3

    kernel_size: Sizes3d
    """Depth, height and width of a kernel; one number for all."""
    stride: Sizes3d = (1, 1, 1)
    """Distance in the output between neighbouring voxels of the input."""
    dilation: Sizes3d = (1, 1, 1)
    """Distance between the voxels that a kernel reads."""
    padding: Counts3d = (0, 0, 0)
    """Slices cut off on each side of the result."""
    output_padding: Counts3d = (0, 0, 0)
    """Slices added at the end of the result; smaller than stride or dilation."""
