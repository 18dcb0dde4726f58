"""The base of the scores that each class has, and that are averaged over the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._classes import Counted
from dlrun.components.metrics._of_class import OfClass
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class ClassScore(OfClass, Counted):
    """A score of each class that is the ratio of two sums of counts; NaN where it is 0/0."""

    needs_its_class = True
    main = "average"

    average: Literal["binary", "macro", "micro", "weighted", "none"] | None = None
    """`binary`: one class only, see `of`; `macro`: the mean over classes; `weighted`: weighted by how often each
    occurs; `micro`: over all predictions; `none`: a value for each class, such as `f1/cat`. If not given: binary for
    two classes, macro for more. Classes that have no value, since it is 0/0, are left out of a mean."""

    @property
    def needs_one_class(self) -> bool:
        return self.of is not None or self.average == "binary"

    @property
    def is_of_each(self) -> bool:
        return self.average == "none"

    def is_of_one(self, classes: int | None) -> bool:
        return self.average in (None, "binary") and super().is_of_one(classes)

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is above and below the fraction bar, for each class.

        Args:
            hits: its correct predictions.
            answers: how often it is predicted.
            occurrences: how often it occurs.
            rows: how many rows or positions there are.
        """
        raise NotImplementedError

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        # Of several binary outputs, the yes of each is a class.
        counts = measured[:, 0] if measured.shape[1] == 1 else measured[:, :, 1]
        above, below = self.ratio(*counts)
        if of is not None:
            return above[of] / below[of]
        if self.average == "micro":
            return above.sum() / below.sum()
        if self.average == "none":
            return above / below
        weight = (below > 0).double()
        if self.average == "weighted":
            weight = weight * counts[2]
        return (weight * above / below.where(below > 0, 1.0)).sum() / weight.sum()
