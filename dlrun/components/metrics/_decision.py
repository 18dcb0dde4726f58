"""What the metrics on decisions share: which class, or whether yes, an output stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm

if TYPE_CHECKING:
    import torch


def decide(output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
    """The class number of each row (N,), or for yes-or-no targets (N, k) of 0 and 1.

    A target that is (N,) class numbers asks for the largest output; otherwise an output says yes from a probability
    of one half on, which is a logit of 0.
    """
    if target.dim() == 1:
        return output.argmax(dim=1)
    return output >= (0.5 if output_form == "probabilities" else 0.0)
