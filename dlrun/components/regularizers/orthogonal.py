from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.regularizers import WeightRegularizer

if TYPE_CHECKING:
    import torch


class Orthogonal(WeightRegularizer):
    """Add to the loss how far the weights of the output units are from being orthogonal and of length 1.

    A weight counts as a matrix W with a row for each output unit; a kernel's other axes are one. If W has at most as
    many rows as columns, the rows are made orthogonal, W W^T = I; otherwise the columns, W^T W = I. It acts on weights
    with two axes or more. The gates of a recurrent layer are stacked in one matrix, which counts as a whole.

    As a prior: the most probable matrices are those that keep lengths.

    Shape: coefficient * sum((W W^T - I)**2), or sum((W^T W - I)**2) for more rows than columns
    Reference: Brock, Lim, Ritchie and Weston, Neural photo editing with introspective adversarial networks, 2017;
        Bansal, Chen and Wang, Can we gain more from orthogonality regularizations in training deep networks?, 2018.
    Example: orthogonal: 1e-3
    """

    synonyms = ("orthogonality", "soft_orthogonality", "orthogonal_regularizer")
    least_rank = 2
    by_unit = True

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        import torch

        return torch.stack([_distance(weight.reshape(len(weight), -1)) for weight in weights]).sum() * self.coefficient


def _distance(matrix: torch.Tensor) -> torch.Tensor:
    import torch

    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    return (wide @ wide.T - torch.eye(len(wide), dtype=wide.dtype, device=wide.device)).square().sum()
