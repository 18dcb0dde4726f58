from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dlrun.components.optimizers._adam import AdamLike
from dlrun.spec.fields import NonNegative

if TYPE_CHECKING:
    import torch


class Adamw(AdamLike):
    """Adam whose weight decay shrinks the weights directly, past the gradient.

    Shape: w = w - lr*weight_decay*w, then as adam
    Reference: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    Example: adamw: {lr: 1e-3}
    """

    weight_decay: NonNegative = 0.01
    """Shrinks every weight by lr*weight_decay of itself a step, biases' too. Not the regularizer `l2: k`,
    which goes through the gradient."""

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        from torch import optim

        return optim.AdamW(parameters, self.lr, self.betas, self.eps, self.weight_decay, self.amsgrad, fused=True)
