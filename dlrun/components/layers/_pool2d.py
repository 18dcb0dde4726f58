"""What the sliding poolings share."""

from __future__ import annotations

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, ShapeError, need_rank, per_axis
from dlrun.spec.fields import CountPair, Pair


class Pool2d(Layer):
    """Summarises each window of an image by one number."""

    kernel_size: Pair
    """Height and width of a window; one number for both."""
    stride: Pair | None = None
    """How far the window moves at a time; its own size unless given."""
    padding: CountPair = (0, 0)
    """Pixels added on each side; at most half the window."""
    ceil_mode: bool = False
    """Count a last window that hangs over the edge, instead of leaving the rest out."""

    def steps(self) -> tuple[int, int]:
        """The stride, given or not."""
        return self.stride or self.kernel_size

    def spans(self) -> tuple[int, int]:
        """How many pixels a window reaches over."""
        return self.kernel_size

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "channels, height, width")
        return (shape[0], *(self._size(*axis) for axis in self._axes(shape)))

    def _axes(self, shape: Shape) -> list[tuple[int, int, int, int, int]]:
        return list(zip(shape[1:], self.kernel_size, self.spans(), self.steps(), self.padding, strict=True))

    def _size(self, size: int, kernel: int, span: int, stride: int, padding: int) -> int:
        if 2 * padding > kernel:
            raise ShapeError(f"padding {padding} is more than half the window, {kernel}")
        room = size + 2 * padding - span
        out = (-(-room // stride) if self.ceil_mode else room // stride) + 1
        if self.ceil_mode and (out - 1) * stride >= size + padding:
            out -= 1  # a window must begin inside the image or its left padding
        if out < 1:
            raise ShapeError(
                f"a window that spans {span} pixels is larger than the padded input, {size + 2 * padding}",
                "pool less, or less often",
            )
        return out

    def formulas(self, shape: Shape) -> list[str]:
        out = self.output_shape(shape)[1:]
        lines = []
        for (size, _, span, stride, padding), result in zip(self._axes(shape), out, strict=True):
            room = f"({size} + 2*{padding} - {span})"
            over = f"ceil({room} / {stride})" if self.ceil_mode else f"{room} // {stride}"
            outside = (size + 2 * padding - span + stride - 1) // stride + 1 > result
            but = " - 1 (no window begins outside the image)" if self.ceil_mode and outside else ""
            lines.append(f"{over} + 1{but} = {result}")
        return per_axis(lines)
