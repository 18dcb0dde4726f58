from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.augment import Mixing
from dlrun.language.fields import PositiveFloat, Share

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Mixup(Mixing):
    """With probability `p`, take a weighted mean of each row and a partner, of all inputs and of the targets.

    The partner is chosen at random from all training rows, and is as it is in this epoch after the earlier steps. A
    class becomes a probability for each class, so the loss is the mean of the losses for both classes by weight.

    Shape: x = lam*x1 + (1 - lam)*x2, y = lam*y1 + (1 - lam)*y2, lam ~ Beta(alpha, alpha)
    Reference: Zhang, Cisse, Dauphin and Lopez-Paz, mixup: beyond empirical risk minimization, 2018.
    Example: mixup: 0.2
    """

    synonyms = ("mix_up", "random_mixup")

    alpha: PositiveFloat = 1.0
    """Both parameters of the Beta distribution: near 0 nearly all weight is on one of the two rows, 1 is uniform."""
    p: Share = 1.0
    """The probability that a row is mixed."""

    def mix(
        self, inputs: Sequence[Tensor], partners: Sequence[Tensor], draw: RandomStream
    ) -> tuple[list[Tensor], Tensor]:
        from dlrun.modules.mixing import line

        share = draw.beta(self.alpha).masked_fill_(draw.uniform() >= self.p, 1.0)
        return [line(x, other, share) for x, other in zip(inputs, partners, strict=True)], share
