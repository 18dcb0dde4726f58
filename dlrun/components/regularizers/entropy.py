from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.regularizers import PredictionRegularizer
from dlrun.language.fields import OutputForm
from dlrun.language.target_kind import TargetKind

if TYPE_CHECKING:
    import torch

NEAREST = 2.0**-23
"""A probability counts as at least this, and at most 1 minus this, where the network gives no logit."""


class Entropy(PredictionRegularizer):
    """Subtract `coefficient` times the entropy of the predicted probabilities from the loss: a confidence penalty.

    A network that is sure of its predictions pays for it, so they become less extreme. The penalty is below 0, and
    `train/penalty` shows that. The entropy is the mean over the rows, and over the positions or the outputs of a row
    where there are several. Positions that do not count in the loss, such as padding, do not count here.

    As a prior: predictions near the uniform distribution are more probable.

    Shape: coefficient * mean(sum(p * log(p))) over classes; of a yes or no, p*log(p) + (1 - p)*log(1 - p)
    Reference: Pereyra, Tucker, Chorowski, Kaiser and Hinton, Regularizing neural networks by penalizing confident
        output distributions, 2017.
    Example: entropy: 0.1
    """

    synonyms = ("confidence_penalty", "entropy_penalty", "negative_entropy")

    def penalty(
        self, output: torch.Tensor, wants: TargetKind, output_form: OutputForm, counted: torch.Tensor | None = None
    ) -> torch.Tensor:
        from torch.nn import functional

        if wants == "classes":
            logarithms = output.log_softmax(-1)
            each = (logarithms.exp() * logarithms).sum(-1)
            mean = each.mean() if counted is None else (each * counted).sum() / counted.sum().clamp(min=1)
            return mean * self.coefficient
        if output_form == "probabilities":
            p = output.clamp(NEAREST, 1 - NEAREST)
            return (p * p.log() + (1 - p) * (1 - p).log()).mean() * self.coefficient
        return (output * output.sigmoid() - functional.softplus(output)).mean() * self.coefficient
