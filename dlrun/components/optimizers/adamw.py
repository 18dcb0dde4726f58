from __future__ import annotations

from typing import Any

from dlrun.components.optimizers._adam import AdamLike
from dlrun.components.optimizers._decay import DirectDecay
from dlrun.language.fields import NonNegative


class Adamw(AdamLike, DirectDecay):
    """Adam with a weight decay that shrinks the weights directly, not through the gradient.

    Shape: w = w - lr*weight_decay*w, then as adam
    Reference: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    Example: adamw: {lr: 1e-3}
    """

    weight_decay: NonNegative = 0.01

    def kernel(self) -> Any:
        from dlrun.modules.private_torch import fused_adamw

        return fused_adamw
