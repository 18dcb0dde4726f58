from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._numbers import NumbersLoss

if TYPE_CHECKING:
    import torch


class Cosine(NumbersLoss):
    """1 minus the cosine of the angle between the outputs and the target of a row: their directions count, not their
    lengths.

    For vectors of length 1 it is half the squared distance: minus the log likelihood of a von Mises-Fisher distribution
    on the sphere, up to constants.

    Shape: output and target of one shape, of which a row is one vector. 1 - x.y / (|x| |y|), the mean over the rows
    Reference: Mardia and Jupp, Directional statistics, 2000.
    Example: cosine
    """

    synonyms = ("cosine_similarity", "cosine_embedding", "cosine_embedding_loss", "cosine_proximity")

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        return 1 - functional.cosine_similarity(output.flatten(1), target.flatten(1), dim=1).mean()
