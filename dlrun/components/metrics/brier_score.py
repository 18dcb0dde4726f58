from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._mean import Mean
from dlrun.components.metrics._probabilities import log_probabilities

if TYPE_CHECKING:
    import torch


class BrierScore(Mean):
    """The mean squared distance of the probabilities from the truth, which is 1 for the true class and 0 for others.

    From 0 to 1 for two classes, for which only the probability of one of them is taken, and from 0 to 2 for more. For
    several binary outputs the mean over them.

    Shape: mean((p - y)**2) for two classes, mean(sum((p - onehot(y))**2)) for more
    Reference: Brier, Verification of forecasts expressed in terms of probability, 1950; as
        sklearn.metrics.brier_score_loss.
    Example: brier_score
    """

    synonyms = ("brier", "brier_score_loss", "brier_loss")
    suits = frozenset({"classes", "binary"})
    greater_is_better = False

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        import torch

        logs, classes = log_probabilities(output, target, output_form)
        truth = torch.arange(logs.shape[1], device=logs.device) == classes[:, None]
        distance = (logs.exp() - truth.to(logs.dtype)).square().sum(1)
        return distance / 2 if logs.shape[1] == 2 else distance, classes >= 0
