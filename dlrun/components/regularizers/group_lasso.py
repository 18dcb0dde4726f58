from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.regularizers import WeightRegularizer

if TYPE_CHECKING:
    import torch


class GroupLasso(WeightRegularizer):
    """Add the sum of the norms of each output unit's weights to the loss; it drives whole units towards 0.

    The weights that lead into one output unit, such as a kernel of a convolution, are a group; each group's norm is
    multiplied by the square root of its size, so that large groups are not favoured. A recurrent layer has a group for
    each gate of each unit, an embedding for each index.

    As a prior: each group has a Laplace prior of several dimensions, exp(-||w||), whatever its direction.

    Shape: coefficient * sum(sqrt(size of the group) * ||w||)
    Reference: Yuan and Lin, Model selection and estimation in regression with grouped variables, 2006.
    Example: group_lasso: 1e-4
    """

    synonyms = ("l21", "l2_1")
    least_rank = 1
    by_unit = True

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        import torch

        groups = [weight.reshape(len(weight), -1) for weight in weights]
        norms = [torch.linalg.vector_norm(group, dim=1).sum() * math.sqrt(group.shape[1]) for group in groups]
        return torch.stack(norms).sum() * self.coefficient
