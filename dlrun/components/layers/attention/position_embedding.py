from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import WeightedLayer
from dlrun.language.fields import Positive
from dlrun.shapes import Shape, ShapeError, need_rank

if TYPE_CHECKING:
    import torch


class PositionEmbedding(WeightedLayer):
    """Add a trained vector to each step of a sequence, one for each position.

    Positions count the steps that are not padding.

    Shape: (T, E) -> (T, E)
    Reference: Gehring and others, Convolutional sequence to sequence learning, 2017; Devlin and others, BERT, 2018.
    Example: position_embedding: 1024
    """

    channel_axis = "last"
    padding_is = "masked"
    drawn_as = "linear"

    num_embeddings: Positive | None = None
    """The number of positions; if not given, as many as the sequence has steps."""

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        if self.num_embeddings is not None and shape[0] > self.num_embeddings:
            raise ShapeError(f"has {self.num_embeddings} positions, but the sequence has {shape[0]} steps")
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings or shape[0], shape[1])}

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.attention import PositionEmbedding as Module

        return Module(self.num_embeddings or shape[0], shape[1])
