"""The base of the losses on numbers."""

from __future__ import annotations

from typing import ClassVar

from dlrun.components.losses import OutputForm
from dlrun.components.losses._compared import ComparingLoss, need_same_shape
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape


class NumbersLoss(ComparingLoss):
    """Compares outputs with numbers of the same shape, element by element."""

    wants: ClassVar[TargetKind] = "numbers"

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        need_same_shape(output, target)
