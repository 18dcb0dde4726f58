from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.augment import PartnerAugmentation
from dlrun.language.fields import Share
from dlrun.shapes import Shape

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class SwapNoise(PartnerAugmentation):
    """Replace each number with probability `p` by the number that another row has in the same column.

    All numbers that are replaced in a row come from one partner, chosen at random from all training rows. So each
    column keeps its values, whatever their distribution, also where they are 0 and 1, or indices.

    Shape: (...) -> (...), y[i] = partner[i] with probability p, or x[i]
    Reference: Jahrer, first place of Porto Seguro's safe driver prediction, 2017; Bahri, Jiang, Tay and Metzler, SCARF,
    2022.
    Example: swap_noise: 0.15
    """

    synonyms = ("input_swap_noise", "swap", "random_swap", "feature_corruption", "scarf")

    p: Share
    """The probability that a number is replaced."""

    def check(self, shape: Shape, indices: bool = False) -> None:
        """Numbers and indices of any shape can be exchanged."""

    def exchange(self, x: Tensor, partners: Tensor, draw: RandomStream) -> Tensor:
        import torch

        return torch.where(draw.chance(self.p, *x.shape[1:]), partners, x)
