from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._mean import Averaged

if TYPE_CHECKING:
    import torch

SMALLEST = 2.0**-52
"""What a target of 0 counts as, as in scikit-learn."""


class Mape(Averaged):
    """The mean absolute percentage error, as a share: 0.1 means that outputs are 10% off.

    It says little where targets are near 0: a target of 0 counts as 2.2e-16.

    Shape: mean(|x - y| / max(|y|, 2.2e-16))
    Reference: de Myttenaere, Golden, Le Grand and Rossi, Mean absolute percentage error for regression models, 2016; as
        sklearn.metrics.mean_absolute_percentage_error.
    Example: mape
    """

    synonyms = ("mean_absolute_percentage_error",)

    def each(
        self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        exact = target.double()
        return (output.double() - exact).abs() / exact.abs().clamp(min=SMALLEST), None
