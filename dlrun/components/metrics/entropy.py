from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._mean import Mean
from dlrun.components.metrics._probabilities import log_probabilities

if TYPE_CHECKING:
    import torch


class Entropy(Mean):
    """The mean entropy of the predicted probabilities, in bits: how undecided the network is, whether right or wrong.

    It is 0 where one class has all the probability, and log2(classes) where all have the same. For several binary
    outputs it is the mean over them. Neither more nor less of it is better, so no monitor can be on it.

    Shape: mean(-sum(p * log2(p)))
    Reference: Shannon, A mathematical theory of communication, 1948.
    Example: entropy
    """

    synonyms = ("prediction_entropy", "predictive_entropy")
    suits = frozenset({"classes", "binary"})
    greater_is_better = None

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        import torch

        logs, classes = log_probabilities(output, target, output_form)
        return torch.special.entr(logs.exp()).sum(1) / math.log(2), classes >= 0
