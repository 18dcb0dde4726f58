from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dlrun.components.losses import Loss, OutputForm
from dlrun.language.target_kind import at_one_position
from dlrun.shapes import Range, Shape, ShapeError, show

if TYPE_CHECKING:
    import torch


class CrossEntropy(Loss):
    """Minus the log of the predicted probability of the correct class; takes logits and applies the softmax itself.

    A row may have a class at each of several positions, such as the next token at every step of a text, or the class of
    every pixel: the loss is the mean over all positions of all rows.

    Shape: output (classes,), target one class; output (steps, classes), target (steps,); output
        (classes, height, width), target (height, width). -log(exp(x[y]) / sum(exp(x)))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.
    Example: cross_entropy: {label_smoothing: 0.1}
    """

    synonyms = (
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "categorical_cross_entropy",
        "crossentropy",
        "cross_entropy_loss",
        "ce",
        "nll",
        "nll_loss",
        "negative_log_likelihood",
    )
    wants = "classes"

    label_smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of the target that is spread evenly over all classes."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form == "distribution":
            raise ShapeError(
                "cross_entropy takes logits and applies the softmax itself; a softmax before it weakens gradients",
                "remove the final `softmax`",
            )
        if output_form == "log_distribution":
            raise ShapeError(
                "cross_entropy takes logits and applies the log_softmax itself; a second one changes nothing",
                "remove the final `log_softmax`",
            )
        if output_form:
            raise ShapeError(
                "cross_entropy takes logits, but the network ends in a sigmoid",
                "remove the final sigmoid, or use `binary_cross_entropy`",
            )
        at_one = at_one_position(output, target)
        if at_one is None and target:
            raise _not_at_positions(output, target)
        if at_one is None:
            raise ShapeError(f"cross_entropy needs one output for each class; the network outputs {show(output)}")
        if classes is not None and at_one[0] < classes:
            raise ShapeError(
                f"the data has {classes} classes, but the network outputs {show(output)}", "end in `- linear: $classes`"
            )

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        # The others are then all at the other end of the range.
        gap = min(taken[1] - taken[0], 700.0)
        others = output[0] - 1
        return 1 / (1 + others * math.exp(gap)), 1 / (1 + others * math.exp(-gap))

    def __call__(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        from torch.nn import functional

        return functional.cross_entropy(output, target, label_smoothing=self.label_smoothing)


def _not_at_positions(output: Shape, target: Shape) -> ShapeError:
    where = ", ".join(map(str, target))
    needed = f"({where}, classes)" if len(target) == 1 else f"(classes, {where})"
    message = (
        f"the target has a class at each of {show(target)} positions, so cross_entropy needs outputs {needed}; the "
        f"network outputs {show(output)}"
    )
    if output == target:
        return ShapeError(message, "if the target is columns of 0 and 1, `argmax(axis=1)` makes one class of them")
    sequence = "`output: sequence` keeps the outputs of a recurrent layer at every step"
    return ShapeError(message, sequence if len(target) == 1 and len(output) == 1 else "")
