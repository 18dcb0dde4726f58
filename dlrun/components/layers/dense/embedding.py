from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import WeightedLayer
from dlrun.language.fields import Count, Positive
from dlrun.shapes import Shape, ShapeError, Window

if TYPE_CHECKING:
    import torch


class Embedding(WeightedLayer):
    """Replace each index by a trained vector.

    Shape: (...) of indices from 0 to num_embeddings - 1 -> (..., embedding_dim)
    Reference: Bengio, Ducharme, Vincent and Jauvin, A neural probabilistic language model, 2003.
    Example: embedding: {num_embeddings: 80, embedding_dim: 256}
    """

    channel_axis = "last"
    padding_is = "per_step"

    accepts = "indices"

    num_embeddings: Positive
    """Number of vectors: `$vocabulary` for an input of indices, `$categories(name)` for a column of categories."""
    embedding_dim: Positive
    """Length of each vector."""
    padding_idx: Count | None = None
    """The index of padding: its vector starts at 0 and is not trained, unless a layer is `tied_to` this one."""

    def output_shape(self, shape: Shape) -> Shape:
        if self.padding_idx is not None and self.padding_idx >= self.num_embeddings:
            raise ShapeError(f"padding_idx {self.padding_idx} must be below num_embeddings, {self.num_embeddings}")
        return (*shape, self.embedding_dim)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (*(Window() for _ in shape), None)

    def padding_index(self) -> int | None:
        return self.padding_idx

    def index_count(self) -> int:
        return self.num_embeddings

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.Embedding(self.num_embeddings, self.embedding_dim, self.padding_idx)
