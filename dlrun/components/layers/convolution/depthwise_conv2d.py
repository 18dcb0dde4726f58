from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import WeightedLayer
from dlrun.components.layers._slide import Slide, need_points, seen_through, slides
from dlrun.components.layers.convolution._convolution import build_convolution, fitting_places, place_formulas
from dlrun.language.fields import Padding2d, Positive, Sizes2d
from dlrun.shapes import Shape, Window, along, numel, product

if TYPE_CHECKING:
    import torch


class DepthwiseConv2d(WeightedLayer):
    """Slide kernels over each channel of an image separately: a conv2d with as many groups as channels.

    Shape: (C, H, W) -> (C*multiplier, H', W'),
        H' = (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1; ceil(H / stride) with padding `same`
    Reference: Howard et al., MobileNets: efficient convolutional neural networks for mobile vision applications, 2017.
    Example: depthwise_conv2d: {kernel_size: 3, padding: same, bias: false}
    """

    channel_axis = "first"
    synonyms = ("depthwise", "depthwise_conv", "depthwise_convolution2d")

    kernel_size: Sizes2d
    """Height and width of a kernel; one number for both."""
    stride: Sizes2d = (1, 1)
    """How far a kernel moves at each step."""
    padding: Padding2d = (0, 0)
    """Zeros added on each side, or `same`, `valid` or `full`, as in conv2d."""
    dilation: Sizes2d = (1, 1)
    """Distance between the pixels that a kernel reads."""
    multiplier: Positive = 1
    """Number of kernels for each channel; each makes one output channel."""
    bias: bool = True
    """Add a trained offset to each output channel."""

    def _slides(self, shape: Shape) -> list[Slide]:
        return slides(shape, 2, self.kernel_size, self.stride, self.dilation, self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        need_points(shape, 2)
        return (shape[0] * self.multiplier, *fitting_places(self._slides(shape)))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (None, *seen_through(self._slides(shape)))

    def weights(self, shape: Shape) -> dict[str, Shape]:
        channels = shape[0] * self.multiplier
        kernels = {"weight": (channels, 1, *along(self.kernel_size, 2))}
        return kernels | ({"bias": (channels,)} if self.bias else {})

    def macs(self, shape: Shape) -> int:
        return numel(self.output_shape(shape)) * numel(along(self.kernel_size, 2))

    def formulas(self, shape: Shape) -> list[str]:
        factors = [*self.output_shape(shape), *along(self.kernel_size, 2)]
        lines = place_formulas(self._slides(shape), self.padding)
        channels = f"channels {shape[0]}*{self.multiplier} = {shape[0] * self.multiplier}"
        return [*lines, channels, f"multiply-adds {product(factors)} = {self.macs(shape)}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        return build_convolution(self._slides(shape), shape[0], shape[0] * self.multiplier, shape[0], self.bias)
