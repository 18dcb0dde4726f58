from __future__ import annotations

from dlrun.components.layers.convolution._convolution import Convolution
from dlrun.language.fields import Padding3d, Sizes3d


class Conv3d(Convolution):
    """Slide `out_channels` kernels through a volume, such as a scan or a video.

    Shape: (C, D, H, W) -> (out_channels, D', H', W'),
        D' = (D + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1; ceil(D / stride) with padding `same`
    Reference: Ji, Xu, Yang and Yu, 3D convolutional neural networks for human action recognition, 2013.
    Example: conv3d: {out_channels: 16, kernel_size: 3, padding: same}
    """

    synonyms = ("convolution3d",)
    rank = 3

    kernel_size: Sizes3d
    """Depth, height and width of a kernel; one number for all."""
    stride: Sizes3d = (1, 1, 1)
    """How far a kernel moves at each step."""
    dilation: Sizes3d = (1, 1, 1)
    """Distance between the voxels that a kernel reads."""
    padding: Padding3d = (0, 0, 0)
    """Zeros added on each side. `same`: as many as make the output ceil(input / stride), an odd one at the end, as in
    TensorFlow. `full`: dilation*(kernel_size - 1), every position where kernel and input overlap. `valid`: none."""
