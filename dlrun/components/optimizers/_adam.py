"""What adam and adamw share."""

from __future__ import annotations

from typing import ClassVar

from dlrun.components.optimizers import Beta, Optimizer
from dlrun.spec.fields import PositiveFloat


class AdamLike(Optimizer):
    """Running means of the gradient and of its square."""

    main: ClassVar[str | None] = "lr"

    lr: PositiveFloat = 1e-3
    """The learning rate."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """How much of the old means is kept at each step: of the gradient, of its square."""
    eps: PositiveFloat = 1e-8
    """Added to the root, so that it is never 0."""
    amsgrad: bool = False
    """Divide by the largest mean square so far instead of the current one."""

    def state_per_weight(self) -> int:
        return 2 + self.amsgrad
