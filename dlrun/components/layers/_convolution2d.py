"""What the convolutions share."""

from __future__ import annotations

from dlrun.components.layers import WeightedLayer
from dlrun.shapes import Shape, ShapeError, need_rank
from dlrun.spec.fields import Pair, Positive


class Convolution2d(WeightedLayer):
    """Kernels over an image, in groups of channels that do not see each other."""

    out_channels: Positive
    """Number of kernels, and so of output channels."""
    kernel_size: Pair
    """Height and width of a kernel; one number for both."""
    stride: Pair = (1, 1)
    """How far a kernel moves at a time; transposed: how far apart the input's pixels are spread."""
    dilation: Pair = (1, 1)
    """Distance between the pixels that a kernel touches."""
    groups: Positive = 1
    """Split the channels into so many groups that do not see each other."""
    bias: bool = True
    """Add a trained offset to each output channel."""

    def need_image(self, shape: Shape) -> None:
        """Require an image whose channels can be split into the groups.

        Raises:
            ShapeError: with what is needed and what came.
        """
        need_rank(shape, "channels, height, width")
        for what, channels in (("input", shape[0]), ("output", self.out_channels)):
            if channels % self.groups:
                raise ShapeError(f"the {channels} {what} channels cannot be split into {self.groups} groups")

    def named(self, kernels: Shape) -> dict[str, Shape]:
        """The kernels, and the bias if there is one, by torch's names."""
        return {"weight": kernels} | ({"bias": (self.out_channels,)} if self.bias else {})
