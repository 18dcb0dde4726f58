"""The base of the losses on yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.components.losses import OutputForm
from dlrun.components.losses._compared import ComparingLoss, need_same_shape
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Range, Shape, ShapeError

if TYPE_CHECKING:
    import torch


class BinaryLoss(ComparingLoss):
    """Compares outputs with 0 or 1."""

    wants: ClassVar[TargetKind] = "binary"
    main: ClassVar[str | None] = "of"

    of: str | None = None
    """The class for which the target is 1, and so the output high. If not given: 1 of 0 and 1, true of false and
    true, or else the rarer class."""

    @property
    def named_class(self) -> str | None:
        return self.of

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form in ("distribution", "log_distribution"):
            raise ShapeError(
                f"{self.kind} needs independent outputs, but a softmax makes them sum to 1",
                "end in `- linear: 1`, or use `cross_entropy` without the softmax",
            )
        if classes is not None and classes > 2:
            raise ShapeError(f"{self.kind} needs two classes; the target has {classes}", "use cross_entropy")
        need_same_shape(output, target)


class MarginLoss(BinaryLoss):
    """Compares scores, which may be any numbers, with -1 for no and 1 for yes."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        super().check(output, target, classes, output_form)
        if output_form:
            last = "log_sigmoid" if output_form == "log_probabilities" else "sigmoid"
            raise ShapeError(f"{self.kind} takes scores, which may be any numbers", f"remove the final `{last}`")

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        # A score is sure where it has the margin 1.
        low, high = (0.5 + 0.5 * max(-1.0, min(1.0, end)) for end in taken)
        return low, high


def signs(target: torch.Tensor) -> torch.Tensor:
    """-1 for 0, and 1 for 1."""
    return 2 * target - 1
