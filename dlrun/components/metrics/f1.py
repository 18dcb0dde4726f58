from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._decision import decide
from dlrun.components.metrics._of_class import OfClass
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch


class F1(OfClass):
    """The harmonic mean of precision and recall.

    NaN where nothing can be counted: no class of those it is about occurs or is predicted.

    Shape: 2*TP / (2*TP + FP + FN), for each class, then averaged; a class that neither occurs nor is predicted
        is not counted. For several binary outputs, for each output.
    Reference: van Rijsbergen, Information Retrieval, 1979; averages as in sklearn.metrics.f1_score.
    Example: f1: {average: weighted}
    """

    synonyms = ("f1_score",)
    suits = frozenset({"classes", "binary"})
    greater_is_better = True
    needs_its_class = True
    main = "average"

    average: Literal["binary", "macro", "micro", "weighted"] | None = None
    """`binary`: one class only, see `of`; `macro`: the mean over classes; `weighted`: weighted by how often each
    occurs; `micro`: over all predictions. If not given: binary for two classes, macro for more."""

    @property
    def needs_one_class(self) -> bool:
        return self.of is not None or self.average == "binary"

    def is_of_one(self, classes: int | None) -> bool:
        return self.average in (None, "binary") and super().is_of_one(classes)

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(3, classes): correct predictions, predictions and occurrences of each class."""
        import torch

        decided = decide(output, target, output_form)
        if target.dim() == 1:
            classes = torch.arange(output.shape[1], device=output.device)
            answers, truth = decided[:, None] == classes, target[:, None] == classes
        else:
            answers, truth = decided.flatten(1), target.bool().flatten(1)
            if answers.shape[1] == 1:  # one binary target: the classes are 0 and 1
                answers, truth = torch.cat((~answers, answers), 1), torch.cat((~truth, truth), 1)
        return torch.stack([(answers & truth).sum(0), answers.sum(0), truth.sum(0)]).double()

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 7 * max(2, numel(output))

    def value(self, measured: torch.Tensor, output: Shape, of: int | None) -> torch.Tensor:
        right, answered, occurring = measured
        both = answered + occurring
        if of is not None:
            return 2 * right[of] / both[of]
        if self.average == "micro":
            return 2 * right.sum() / both.sum()
        each = (2 * right / both).where(both > 0, 0.0)
        weight = occurring if self.average == "weighted" else (both > 0).double()
        return (each * weight).sum() / weight.sum()
