from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.losses import Loss, OutputForm
from dlrun.shapes import Range, Shape, ShapeError, show

if TYPE_CHECKING:
    import torch


class BinaryCrossEntropy(Loss):
    """Minus the log of the predicted probability of the correct label, for binary targets.

    After a final `sigmoid` the outputs are probabilities, and the loss is computed from the logits under it. Without it
    they are logits, and the loss includes the sigmoid. Both stay exact where the probability rounds to 0 or 1.

    Shape: output (1,), target 0 or 1 (or as many as outputs). -(y*log(p) + (1 - y)*log(1 - p))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.
    Example: binary_cross_entropy
    """

    synonyms = ("log_loss", "bce", "bce_loss", "binary_crossentropy", "bce_with_logits", "bce_with_logits_loss")
    wants = "binary"

    of: str | None = None
    """The class for which the target is 1, and so the output near 1. If not given: 1 of 0 and 1, true of false and
    true, or else the rarer class."""

    @property
    def named_class(self) -> str | None:
        return self.of

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form == "log_probabilities":
            raise ShapeError(
                "binary_cross_entropy takes logits or probabilities, but the network outputs their logarithms",
                "end in `- sigmoid`, or remove the final `log_sigmoid`",
            )
        if output_form in ("distribution", "log_distribution"):
            raise ShapeError(
                "binary_cross_entropy needs independent outputs, but a softmax makes them sum to 1",
                "end in `- linear: 1`, or use `cross_entropy` without the softmax",
            )
        if classes is not None and classes > 2:
            raise ShapeError(f"binary_cross_entropy needs two classes; the target has {classes}", "use cross_entropy")
        wanted = target or (1,)
        if output != wanted:
            raise ShapeError(
                f"the target needs outputs of shape {show(wanted)}; the network outputs {show(output)}",
                f"end in `- linear: {wanted[0]}`" if len(wanted) == 1 else "",
            )

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        if output_form == "probabilities":
            return taken
        low, high = (0.5 + 0.5 * math.tanh(0.5 * end) for end in taken)
        return low, high

    def __call__(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        from torch.nn import functional

        if output_form == "probabilities":
            return functional.binary_cross_entropy(output, target)
        return functional.binary_cross_entropy_with_logits(output, target)
