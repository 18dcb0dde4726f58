"""Shared by the metrics on decisions: the class, or the yes or no, that an output means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm

if TYPE_CHECKING:
    import torch


def decide(output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
    """The class number of each row (N,), or yes or no in the outputs' shape for binary targets.

    For a target of (N,) class numbers it is the largest output; otherwise an output means yes if its probability is at
    least one half, which is a logit of 0.
    """
    if target.dim() == 1:
        return output.argmax(dim=1)
    return output >= (0.5 if output_form == "probabilities" else 0.0)
