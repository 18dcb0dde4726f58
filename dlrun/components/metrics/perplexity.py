from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._probabilities import Likelihood

if TYPE_CHECKING:
    import torch


class Perplexity(Likelihood):
    """The exponential of the mean cross entropy, without label smoothing: among how many equally likely classes a guess
    would be as hard.

    Shape: exp(-mean(log(p[y]))), p = softmax(outputs)
    Reference: Jelinek, Mercer, Bahl and Baker, Perplexity: a measure of the difficulty of speech recognition tasks,
        1977.
    Example: perplexity
    """

    synonyms = ("ppl",)
    suits = frozenset({"classes"})

    def of_mean(self, mean: torch.Tensor) -> torch.Tensor:
        return mean.exp()
