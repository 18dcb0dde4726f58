from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.metrics import Metric, OutputForm
from dlrun.components.metrics._decision import decide
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class F1(Metric):
    """The harmonic mean of precision and recall.

    Shape: 2*TP / (2*TP + FP + FN), for each class, then averaged; a class that neither occurs nor is predicted
        is not counted
    Reference: van Rijsbergen, Information Retrieval, 1979; averages as in sklearn.metrics.f1_score.
    Example: f1: {average: weighted}
    """

    synonyms = ("f1_score",)
    suits = frozenset({"classes", "binary"})
    greater_is_better = True

    average: Literal["binary", "macro", "micro", "weighted"] | None = None
    """`binary`: the second class only; `macro`: the mean over classes; `weighted`: weighted by how often each occurs;
    `micro`: over all predictions. If not given: binary for two classes, macro for more."""

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(3, classes): correct predictions, predictions and occurrences of each class."""
        import torch

        decided = decide(output, target, output_form)
        if target.dim() == 1:
            classes = torch.arange(output.shape[1], device=output.device)
            answers, truth = decided[:, None] == classes, target[:, None] == classes
        else:
            answers, truth = decided, target.bool()
            if answers.shape[1] == 1:  # one binary target: the classes are 0 and 1
                answers, truth = torch.cat((~answers, answers), 1), torch.cat((~truth, truth), 1)
        return torch.stack([(answers & truth).sum(0), answers.sum(0), truth.sum(0)]).double()

    def value(self, measured: torch.Tensor, output: Shape) -> torch.Tensor:
        import torch

        right, answered, occurring = measured
        both = answered + occurring
        average = self.average or ("binary" if len(both) == 2 and output[0] <= 2 else "macro")
        if average == "micro":
            return 2 * right.sum() / both.sum()
        each = torch.where(both > 0, 2 * right / both.clamp(min=1), 0.0)
        if average == "binary":
            return each[-1]
        weight = occurring if average == "weighted" else (both > 0).double()
        return (each * weight).sum() / weight.sum()
