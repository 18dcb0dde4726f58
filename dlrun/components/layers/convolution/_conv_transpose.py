"""The base of the transposed convolutions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dlrun.components.layers.convolution._convolution import Grouped
from dlrun.language.fields import Sizes
from dlrun.shapes import POINTS, Shape, ShapeError, Window, along, numel, per_axis, product, transposed

if TYPE_CHECKING:
    import torch


class TransposedConvolution(Grouped):
    """Multiplies each number by a kernel and adds up where the results overlap."""

    enlarges = True

    padding: Sizes = 0
    output_padding: Sizes = 0

    def output_shape(self, shape: Shape) -> Shape:
        self.need_groups(shape)
        sizes = []
        for size, kernel, stride, padding, extra, dilation in self._axes(shape):
            if extra >= max(stride, dilation):
                raise ShapeError(f"output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
            out = transposed(size, kernel, stride, padding, extra, dilation)
            if out < 1:
                points = POINTS[self.rank]
                raise ShapeError(f"nothing is left: the output would be {out} {points}", "use less padding")
            sizes.append(out)
        return (self.out_channels, *sizes)

    def _settings(self) -> list[tuple[int, ...]]:
        settings = (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation)
        return [along(setting, self.rank) for setting in settings]

    def _axes(self, shape: Shape) -> list[tuple[int, ...]]:
        return list(zip(shape[1:], *self._settings(), strict=True))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        from fractions import Fraction

        windows = []
        for _, kernel, stride, _, _, dilation in self._axes(shape):
            # Only the kernel's numbers at this distance from each other reach the same position of the output.
            every = stride // math.gcd(stride, dilation)
            span = (kernel - 1) // every * every * dilation // stride + 1
            windows.append(Window(span, Fraction(1, stride)))
        return (None, *windows)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return self.named((shape[0], self.out_channels // self.groups, *self.kernel()))

    def by_unit(self, weight: torch.Tensor) -> list[torch.Tensor]:
        if weight.dim() < 2:
            return [weight]
        return [part.transpose(0, 1) for part in weight.split(len(weight) // self.groups)]

    def macs(self, shape: Shape) -> int:
        return numel(shape) * (self.out_channels // self.groups) * numel(self.kernel())

    def formulas(self, shape: Shape) -> list[str]:
        out = self.output_shape(shape)
        lines = [
            f"({size} - 1)*{stride} - 2*{padding} + {dilation}*({kernel} - 1) + {extra} + 1 = {result}"
            for (size, kernel, stride, padding, extra, dilation), result in zip(self._axes(shape), out[1:], strict=True)
        ]
        factors = [*shape, self.out_channels // self.groups, *self.kernel()]
        return [*per_axis(lines), f"multiply-adds {product(factors)} = {self.macs(shape)}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        module: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[self.rank - 1]
        kernel, stride, padding, extra, dilation = self._settings()
        return module(shape[0], self.out_channels, kernel, stride, padding, extra, self.groups, self.bias, dilation)
