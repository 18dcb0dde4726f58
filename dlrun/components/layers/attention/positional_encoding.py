from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Shape, need_rank

if TYPE_CHECKING:
    import torch


class PositionalEncoding(Layer):
    """Add sines and cosines of its position to each step of a sequence, from fast to slow waves.

    Positions count the steps that are not padding.

    Shape: (T, E) -> (T, E), plus sin(t / base**(2*i/E)) at 2*i and cos of the same at 2*i + 1
    Reference: Vaswani and others, Attention is all you need, 2017, section 3.5.
    Example: positional_encoding
    """

    channel_axis = "last"
    padding_is = "masked"
    drawn_as = "linear"

    base: PositiveFloat = 10000.0
    """Sets the length of the slowest wave: about base*2*pi steps."""

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        return shape

    def output_range(self, taken: Range) -> Range:
        return taken[0] - 1, taken[1] + 1

    def buffers(self, shape: Shape) -> dict[str, Shape]:
        return {"encoding": shape}

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.attention import PositionalEncoding as Module

        return Module(shape[0], shape[1], self.base)
