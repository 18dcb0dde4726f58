from __future__ import annotations

from dlrun.components.layers.convolution._convolution import Convolution
from dlrun.language.fields import Padding1d, Sizes1d


class Conv1d(Convolution):
    """Slide `out_channels` kernels along a sequence with channels, such as a sound.

    Shape: (C, L) -> (out_channels, L'), L' = (L + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1;
        ceil(L / stride) with padding `same`
    Reference: Waibel, Hanazawa, Hinton, Shikano and Lang, Phoneme recognition using time-delay neural networks, 1989.
    Example: conv1d: {out_channels: 32, kernel_size: 5, padding: same}
    """

    synonyms = ("convolution1d", "temporal_convolution")
    rank = 1

    kernel_size: Sizes1d
    """Length of a kernel."""
    stride: Sizes1d = 1
    """How far a kernel moves at each step."""
    dilation: Sizes1d = 1
    """Distance between the steps that a kernel reads."""
    padding: Padding1d = 0
    """Zeros added on each side. `same`: as many as make the output ceil(input / stride), an odd one at the end, as in
    TensorFlow. `full`: dilation*(kernel_size - 1), every position where kernel and input overlap. `valid`: none."""
