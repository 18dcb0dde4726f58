from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Role, WeightedLayer
from dlrun.components.layers._slide import Slide, need_points, seen_through, slides
from dlrun.components.layers.convolution._convolution import build_convolution, fitting_places, place_formulas
from dlrun.language.fields import Padding2d, Positive, Sizes2d
from dlrun.shapes import Shape, Window, along, numel, product

if TYPE_CHECKING:
    import torch


class SeparableConv2d(WeightedLayer):
    """Slide a kernel over each channel of an image separately, then combine the channels pixel by pixel.

    This is a depthwise_conv2d without a bias, then a conv2d with kernel size 1 and a bias.

    Shape: (C, H, W) -> (out_channels, H', W'),
        H' = (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1; ceil(H / stride) with padding `same`
    Reference: Chollet, Xception: deep learning with depthwise separable convolutions, 2017.
    Example: separable_conv2d: {out_channels: 32, kernel_size: 3, padding: same}
    """

    channel_axis = "first"
    synonyms = ("separable_conv", "separable_convolution2d", "depthwise_separable_conv2d")

    out_channels: Positive
    """Number of output channels."""
    kernel_size: Sizes2d
    """Height and width of a kernel over one channel; one number for both."""
    stride: Sizes2d = (1, 1)
    """How far such a kernel moves at each step."""
    padding: Padding2d = (0, 0)
    """Zeros added on each side, or `same`, `valid` or `full`, as in conv2d."""
    dilation: Sizes2d = (1, 1)
    """Distance between the pixels that a kernel reads."""
    multiplier: Positive = 1
    """Number of kernels for each channel, before the channels are combined."""
    bias: bool = True
    """Add a trained offset to each output channel at the end."""

    def _slides(self, shape: Shape) -> list[Slide]:
        return slides(shape, 2, self.kernel_size, self.stride, self.dilation, self.padding)

    def _between(self, shape: Shape) -> Shape:
        """The shape between the two convolutions."""
        need_points(shape, 2)
        return (shape[0] * self.multiplier, *fitting_places(self._slides(shape)))

    def output_shape(self, shape: Shape) -> Shape:
        return (self.out_channels, *self._between(shape)[1:])

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (None, *seen_through(self._slides(shape)))

    def weights(self, shape: Shape) -> dict[str, Shape]:
        channels = shape[0] * self.multiplier
        weights: dict[str, Shape] = {
            "depthwise.weight": (channels, 1, *along(self.kernel_size, 2)),
            "pointwise.weight": (self.out_channels, channels, 1, 1),
        }
        return weights | ({"pointwise.bias": (self.out_channels,)} if self.bias else {})

    def role(self, weight: str) -> Role:
        return "bias" if weight == "pointwise.bias" else "weight"

    def _products(self, shape: Shape) -> tuple[list[int], list[int]]:
        between = self._between(shape)
        return [*between, *along(self.kernel_size, 2)], [*self.output_shape(shape), between[0]]

    def macs(self, shape: Shape) -> int:
        return sum(numel(tuple(factors)) for factors in self._products(shape))

    def formulas(self, shape: Shape) -> list[str]:
        lines = place_formulas(self._slides(shape), self.padding)
        factors = " + ".join(map(product, self._products(shape)))
        return [*lines, f"multiply-adds {factors} = {self.macs(shape)}"]

    def activations(self, shape: Shape) -> int:
        return numel(self._between(shape)) + numel(self.output_shape(shape))

    def build(self, shape: Shape) -> torch.nn.Module:
        from collections import OrderedDict

        from torch import nn

        channels = shape[0] * self.multiplier
        depthwise = build_convolution(self._slides(shape), shape[0], channels, shape[0], bias=False)
        pointwise = nn.Conv2d(channels, self.out_channels, 1, bias=self.bias)
        return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))
