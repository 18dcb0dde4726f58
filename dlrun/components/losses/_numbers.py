"""The base of the losses on numbers."""

from __future__ import annotations

from dlrun.components.losses import Loss, OutputForm
from dlrun.shapes import Shape, ShapeError, show


class NumbersLoss(Loss):
    """Compares outputs with targets of the same shape, element by element."""

    wants = "numbers"

    target: str = "data"
    """What the outputs are compared with: the target of the data (`data`), or the network's `input` (an autoencoder);
    where there are several inputs, the name of one."""

    @property
    def of_input(self) -> str | None:
        return None if self.target == "data" else self.target

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        wanted = target or (1,)
        if output != wanted:
            raise ShapeError(
                f"the target needs outputs of shape {show(wanted)}; the network outputs {show(output)}",
                f"end in `- linear: {wanted[0]}`" if len(wanted) == 1 else "",
            )
