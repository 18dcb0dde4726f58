from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.components.metrics._classes import decide
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, ShapeError, numel, show

if TYPE_CHECKING:
    import torch


class ConfusionMatrix(Metric):
    """How many rows of each true class are predicted as each class: `confusion_matrix/cat/dog` counts the cats that are
    taken for dogs.

    The screen shows the one of the test rows as a table. Neither more nor less of a count is better, so no monitor can
    be on it.

    Shape: (classes, classes), a row for each true class, a column for each predicted one
    Reference: Stehman, Selecting and interpreting measures of thematic classification accuracy, 1997; as
        sklearn.metrics.confusion_matrix.
    Example: confusion_matrix
    """

    synonyms = ("confusion", "contingency_table", "error_matrix")
    suits = frozenset({"classes", "binary"})
    greater_is_better = None
    is_table = True

    def check(self, output: Shape, wants: TargetKind) -> None:
        if wants == "binary" and numel(output) > 1:
            message = f"confusion_matrix needs one class for each row; the outputs {show(output)} are each a yes or no"
            raise ShapeError(message, "`recall: none` and `precision: none` have a value for each output")

    def value_names(self, classes: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{true}/{answer}" for true in classes for answer in classes)

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(classes * classes,): the counts, those of a true class one after the other."""
        classes = output.shape[1] if target.dim() == 1 else 2
        decided = decide(output, target, output_form).flatten().long()
        truth = target.flatten().long()
        counts = truth >= 0
        pairs = truth.where(counts, 0) * classes + decided
        return pairs.new_zeros(classes * classes).scatter_add(0, pairs, counts.long()).double()

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 2 * (output[0] if wants == "classes" else 2) ** 2

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        return measured
