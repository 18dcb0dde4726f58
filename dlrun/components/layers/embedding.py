from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import WeightedLayer
from dlrun.shapes import Shape
from dlrun.spec.fields import Positive

if TYPE_CHECKING:
    import torch


class Embedding(WeightedLayer):
    """Replace each index by a trained vector.

    Shape: (...) of indices from 0 to num_embeddings - 1 -> (..., embedding_dim)
    Reference: Bengio, Ducharme, Vincent and Jauvin, A neural probabilistic language model, 2003.
    Example: embedding: {num_embeddings: 80, embedding_dim: 256}
    """

    accepts = "indices"

    num_embeddings: Positive
    """How many vectors; `$vocabulary` is one more than the data's greatest index."""
    embedding_dim: Positive
    """The length of each vector."""

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape, self.embedding_dim)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.Embedding(self.num_embeddings, self.embedding_dim)
