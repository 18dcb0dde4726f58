from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers._convolution2d import Convolution2d
from dlrun.shapes import Shape, ShapeError, numel, per_axis, transposed
from dlrun.spec.fields import CountPair

if TYPE_CHECKING:
    import torch


class ConvTranspose2d(Convolution2d):
    """Spread each pixel over a kernel's area and add up: a convolution's gradient, used to grow an image.

    Shape: (C, H, W) -> (out_channels, H', W'),
        H' = (H - 1)*stride - 2*padding + dilation*(kernel_size - 1) + output_padding + 1
    Reference: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4.
    Example: conv_transpose2d: {out_channels: 16, kernel_size: 2, stride: 2}
    """

    padding: CountPair = (0, 0)
    """Rows and columns cut off on each side of the result."""
    output_padding: CountPair = (0, 0)
    """Rows and columns added at the end of the result; smaller than stride or dilation."""

    def output_shape(self, shape: Shape) -> Shape:
        self.need_image(shape)
        sizes = []
        for size, kernel, stride, padding, extra, dilation in self._axes(shape):
            if extra >= max(stride, dilation):
                raise ShapeError(f"output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
            out = transposed(size, kernel, stride, padding, extra, dilation)
            if out < 1:
                raise ShapeError(f"nothing is left: the output would be {out} pixels", "use less padding")
            sizes.append(out)
        return (self.out_channels, *sizes)

    def _axes(self, shape: Shape) -> list[tuple[int, int, int, int, int, int]]:
        settings = (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation)
        return list(zip(shape[1:], *settings, strict=True))

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return self.named((shape[0], self.out_channels // self.groups, *self.kernel_size))

    def macs(self, shape: Shape) -> int:
        height, width = self.kernel_size
        return numel(shape) * (self.out_channels // self.groups) * height * width

    def formulas(self, shape: Shape) -> list[str]:
        out = self.output_shape(shape)
        lines = [
            f"({size} - 1)*{stride} - 2*{padding} + {dilation}*({kernel} - 1) + {extra} + 1 = {result}"
            for (size, kernel, stride, padding, extra, dilation), result in zip(self._axes(shape), out[1:], strict=True)
        ]
        factors = [*shape, self.out_channels // self.groups, *self.kernel_size]
        return [*per_axis(lines), f"multiply-adds {'*'.join(map(str, factors))} = {self.macs(shape)}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.ConvTranspose2d(
            shape[0],
            self.out_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.bias,
            self.dilation,
        )
