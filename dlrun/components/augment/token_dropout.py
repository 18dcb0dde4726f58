from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.augment import Augmentation
from dlrun.language.fields import Count, Share
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class TokenDropout(Augmentation):
    """Replace each index with probability `p` by one that says nothing, such as that of unknown words.

    Shape: (...) -> (...), indices, y[i] = replace_by with probability p, or x[i]
    Reference: Iyyer, Manjunatha, Boyd-Graber and Daume, Deep unordered composition rivals syntactic methods for text
    classification, 2015.
    Example: token_dropout: {p: 0.1, replace_by: 1, padding_idx: 0}
    """

    synonyms = ("word_dropout", "token_masking", "random_token_dropout", "token_cutoff")

    p: Share
    """The probability that an index is replaced."""
    replace_by: Count = 0
    """The index to put there: that of unknown words or of padding."""
    padding_idx: Count | None = None
    """The index of padding, which is never replaced."""

    @property
    def new_index(self) -> int:
        return self.replace_by

    def check(self, shape: Shape, indices: bool = False) -> None:
        if not indices:
            hint = "for numbers there are `gaussian_noise` and `swap_noise`"
            raise ShapeError("replaces indices, but the network takes numbers", hint)

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        replaced = draw.chance(self.p, *x.shape[1:])
        if self.padding_idx is not None:
            replaced &= x != self.padding_idx
        return x.masked_fill(replaced, self.replace_by)
