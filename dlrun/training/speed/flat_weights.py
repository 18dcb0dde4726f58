"""A group of few weights as one tensor, so that an optimizer's step is a few calls for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from dlrun.data.batches import Tensors
from dlrun.training.step import TrainedWeights

MOST = 1 << 16
"""The largest number of weights for which joining the gradients in one tensor costs less than it saves."""


class FlatWeights(TrainedWeights):
    """Makes each weight a view of one tensor; the optimizer changes that tensor."""

    def __init__(self, parameters: Sequence[nn.Parameter]):
        super().__init__(parameters)
        whole = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
        start = 0
        for parameter in parameters:
            parameter.data = whole[start : start + parameter.numel()].view(parameter.shape)
            start += parameter.numel()
        self.values = [whole]

    def laid_out(self, gradients: Sequence[torch.Tensor]) -> Tensors:
        """One gradient for all weights."""
        return [torch.cat([gradient.reshape(-1) for gradient in gradients])]

    @staticmethod
    def suits(parameters: Sequence[nn.Parameter]) -> bool:
        """Whether flat weights are faster for these parameters."""
        return len(parameters) > 1 and sum(parameter.numel() for parameter in parameters) <= MOST
