from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers._convolution2d import Convolution2d
from dlrun.shapes import Shape, ShapeError, convolved, numel, per_axis, show
from dlrun.spec.fields import Padding2d

if TYPE_CHECKING:
    import torch


class Conv2d(Convolution2d):
    """Slide `out_channels` kernels over an image.

    Shape: (C, H, W) -> (out_channels, H', W'), H' = (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1
    Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
    Example: conv2d: {out_channels: 32, kernel_size: 3, padding: same}
    """

    padding: Padding2d = (0, 0)
    """Zeros added on each side; `same` keeps height and width (stride 1 only), `valid` adds none."""

    def margins(self) -> tuple[int, int]:
        """Zeros on both sides together, for height and width."""
        if self.padding == "valid":
            return (0, 0)
        if self.padding == "same":
            height, width = (d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True))
            return (height, width)
        assert not isinstance(self.padding, str)
        return (2 * self.padding[0], 2 * self.padding[1])

    def output_shape(self, shape: Shape) -> Shape:
        self.need_image(shape)
        if self.padding == "same" and self.stride != (1, 1):
            raise ShapeError(
                f"padding `same` needs stride 1; received stride {show(self.stride)}",
                "write the padding as a number: (kernel_size - 1) // 2",
            )
        sizes = []
        for size, kernel, stride, margin, dilation in self._axes(shape):
            span = dilation * (kernel - 1) + 1
            if span > size + margin:
                raise ShapeError(
                    f"a kernel that spans {span} pixels is larger than the padded input, {size + margin}",
                    "use a smaller kernel or more padding, or pool less before",
                )
            sizes.append(convolved(size + margin, kernel, stride, 0, dilation))
        return (self.out_channels, *sizes)

    def _axes(self, shape: Shape) -> list[tuple[int, int, int, int, int]]:
        return list(zip(shape[1:], self.kernel_size, self.stride, self.margins(), self.dilation, strict=True))

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return self.named((self.out_channels, shape[0] // self.groups, *self.kernel_size))

    def macs(self, shape: Shape) -> int:
        height, width = self.kernel_size
        return numel(self.output_shape(shape)) * (shape[0] // self.groups) * height * width

    def formulas(self, shape: Shape) -> list[str]:
        out = self.output_shape(shape)
        lines = []
        for (size, kernel, stride, margin, dilation), result in zip(self._axes(shape), out[1:], strict=True):
            padded = f"{size} + 2*{margin // 2}" if margin % 2 == 0 else f"{size} + {margin}"
            span = f"{kernel}" if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"
            lines.append(f"({padded} - {span}) // {stride} + 1 = {result}")
        factors = [*out, shape[0] // self.groups, *self.kernel_size]
        return [*per_axis(lines), f"multiply-adds {'*'.join(map(str, factors))} = {self.macs(shape)}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        margins = self.margins()
        # torch pads by itself only where one side gets more than the other; numbers are quicker.
        even = all(margin % 2 == 0 for margin in margins)
        padding = (margins[0] // 2, margins[1] // 2) if even else self.padding
        return nn.Conv2d(
            shape[0],
            self.out_channels,
            self.kernel_size,
            self.stride,
            padding,
            self.dilation,
            self.groups,
            self.bias,
        )
