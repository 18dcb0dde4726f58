from __future__ import annotations

from typing import Any

from dlrun.components.optimizers._adam import AdamLike
from dlrun.components.optimizers._decay import GradientDecay
from dlrun.language.fields import NonNegative


class Adam(AdamLike, GradientDecay):
    """Steps computed from running means of the gradient and of its square, corrected for their start at 0.

    Shape: m = b1*m + (1 - b1)*g; v = b2*v + (1 - b2)*g**2; w = w - lr * m/(1 - b1**t) / (sqrt(v/(1 - b2**t)) + eps)
    Reference: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
    Example: adam: {lr: 1e-3}
    """

    weight_decay: NonNegative = 0.0
    """Adds weight_decay*w to every gradient, also of biases, before adam rescales it. This is not the regularizer
    `l2: k`; see also adamw."""

    def kernel(self) -> Any:
        from dlrun.modules.private_torch import fused_adam

        return fused_adam
