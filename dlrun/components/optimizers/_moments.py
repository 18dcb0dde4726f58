"""The base of adam and its relatives: running means of the gradient and of its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.optimizers import Beta, Optimizer
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class Moments(Optimizer):
    """Running means of the gradient and of its square."""

    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """The weights of the old means at each step: of the gradient, and of its square."""
    eps: PositiveFloat = 1e-8
    """Added to the root, so it is never 0."""

    def renew_mean(self, means: list[torch.Tensor], grads: list[torch.Tensor]) -> None:
        """Move the mean of each weight's gradient towards the current one."""
        from dlrun.modules.private_torch import foreach_lerp_

        foreach_lerp_(means, grads, 1 - self.betas[0])

    def renew_squares(self, squares: list[torch.Tensor], grads: list[torch.Tensor]) -> None:
        """Move the mean square of each weight's gradient towards the current one."""
        renew_squares(squares, grads, self.betas[1])


def renew_squares(squares: list[torch.Tensor], grads: list[torch.Tensor], keep: float) -> None:
    """squares = keep*squares + (1 - keep)*grads**2, in place."""
    from dlrun.modules.private_torch import foreach_addcmul_, foreach_mul_

    foreach_mul_(squares, keep)
    foreach_addcmul_(squares, grads, grads, value=1 - keep)
