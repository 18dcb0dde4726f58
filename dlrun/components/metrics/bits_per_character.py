from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.metrics._probabilities import Likelihood

if TYPE_CHECKING:
    import torch


class BitsPerCharacter(Likelihood):
    """The mean cross entropy in bits, for each position: the logarithm of the perplexity to base 2.

    It is in bits per character where the tokens are characters, and per word where they are words.

    Shape: -mean(log2(p[y])), p = softmax(outputs)
    Reference: Graves, Generating sequences with recurrent neural networks, 2013.
    Example: bits_per_character
    """

    synonyms = ("bpc", "bits_per_char", "bits_per_token", "bits_per_byte", "bpb")
    suits = frozenset({"classes"})

    def of_mean(self, mean: torch.Tensor) -> torch.Tensor:
        return mean / math.log(2)
