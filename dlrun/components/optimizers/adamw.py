from __future__ import annotations

from typing import Any

from dlrun.components.optimizers._adam import AdamLike
from dlrun.language.fields import NonNegative


class Adamw(AdamLike):
    """Adam whose weight decay shrinks the weights directly, past the gradient.

    Shape: w = w - lr*weight_decay*w, then as adam
    Reference: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    Example: adamw: {lr: 1e-3}
    """

    weight_decay: NonNegative = 0.01
    """Shrinks every weight by lr*weight_decay of itself a step, biases' too. Not the regularizer `l2: k`,
    which goes through the gradient."""

    def kernel(self) -> Any:
        from dlrun.modules.private_torch import fused_adamw

        return fused_adamw
