"""The base of the Lp poolings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from dlrun.components.layers import Layer, Range
from dlrun.components.layers._slide import Slide, need_points, seen_through, slides
from dlrun.components.layers.pooling._pool import need_whole_window, place_formulas, places
from dlrun.language.fields import Sizes
from dlrun.shapes import Shape, Window, along, numel

if TYPE_CHECKING:
    import torch


class LpPool(Layer):
    """Replaces each window by its Lp norm."""

    channel_axis = "first"
    rank: ClassVar[int]
    """The number of axes after the channels."""

    kernel_size: Sizes
    norm_type: Annotated[float, Field(ge=1)] = 2.0
    """The power p: 1 is the sum of magnitudes, 2 the Euclidean norm; a larger p gives large numbers more weight."""
    stride: Sizes | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    ceil_mode: bool = False
    """Include a last window that reaches beyond the edge, scaled up to a whole one, instead of dropping the rest."""

    def slides(self, shape: Shape) -> list[Slide]:
        """The window along each axis."""
        return slides(shape, self.rank, self.kernel_size, self.stride or self.kernel_size, 1, 0)

    def output_shape(self, shape: Shape) -> Shape:
        need_points(shape, self.rank)
        windows = self.slides(shape)
        need_whole_window(windows)
        return (shape[0], *(places(slide, self.ceil_mode, self.rank) for slide in windows))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (Window(), *seen_through(self.slides(shape)))

    def formulas(self, shape: Shape) -> list[str]:
        return place_formulas(self.slides(shape), self.ceil_mode)

    def output_range(self, taken: Range) -> Range:
        # A window that reaches beyond the edge counts as a whole one: the norm is that of its mean power, scaled up.
        scale = numel(along(self.kernel_size, self.rank)) ** (1 / self.norm_type)
        least = max(0.0, taken[0], -taken[1])
        return scale * least, scale * max(map(abs, taken))

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules import pooling

        pool: Any = (pooling.LpPool1d, pooling.LpPool2d, pooling.LpPool3d)[self.rank - 1]
        # torch's LPPool1d takes numbers, the others tuples.
        kernel, stride = (along(value, self.rank) for value in (self.kernel_size, self.stride or self.kernel_size))
        return pool(self.norm_type, *((kernel[0], stride[0]) if self.rank == 1 else (kernel, stride)), self.ceil_mode)
