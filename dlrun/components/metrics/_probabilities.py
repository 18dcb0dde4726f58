"""Shared by the metrics of probabilities: the probability of each class, whatever form the outputs have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._mean import Mean

if TYPE_CHECKING:
    import torch

SMALLEST = 2.0**-52
"""What a probability of 0 counts as where its logarithm is taken, as in scikit-learn."""


def log_probabilities(
    output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
) -> tuple[torch.Tensor, torch.Tensor]:
    """The logs of the probabilities of the classes (M, classes), and the class numbers (M,).

    For a binary target each output is a row of its own, with the classes 0 and 1.
    """
    import torch
    from torch.nn import functional

    shares = output_form in ("probabilities", "distribution")
    logs = output.clamp(min=SMALLEST).log() if shares else output
    if target.dim() == 1:
        return logs.log_softmax(1), target  # those that are logs of probabilities stay as they are
    if shares:
        no = (1 - output).clamp(min=SMALLEST).log()
    elif output_form:
        no = (-output.expm1()).clamp(min=SMALLEST).log()
    else:
        logs, no = functional.logsigmoid(output), functional.logsigmoid(-output)
    return torch.stack((no.flatten(), logs.flatten()), 1), (target.flatten() > 0).long()


class Likelihood(Mean):
    """A function of the mean cross entropy: minus the log of the probability of the true class."""

    greater_is_better = False

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        from torch.nn import functional

        logs, classes = log_probabilities(output, target, output_form)
        return functional.nll_loss(logs, classes.clamp(min=0), reduction="none"), classes >= 0
