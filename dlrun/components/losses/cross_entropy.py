from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dlrun.components.losses import IGNORED, Compared, OutputForm
from dlrun.components.losses._classes import ClassesLoss, divisor, need_class_outputs, need_logits, range_of_softmax
from dlrun.shapes import Range, Shape

if TYPE_CHECKING:
    import torch


class CrossEntropy(ClassesLoss):
    """Minus the log of the predicted probability of the correct class; takes logits and applies the softmax itself.

    It is minus the log likelihood of a categorical distribution, so its least value is the maximum likelihood. It is
    the entropy of the targets plus their Kullback-Leibler divergence from the predictions.
    A row may have a class at each of several positions, such as the next token at every step of a text, or the class of
    every pixel: the loss is the mean over all positions of all rows.

    Shape: output (classes,), target one class; output (steps, classes), target (steps,); output
        (classes, height, width), target (height, width). -log(exp(x[y]) / sum(exp(x)))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.
    Example: cross_entropy: {label_smoothing: 0.1, weight: balanced}
    """

    synonyms = (
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "categorical_cross_entropy",
        "crossentropy",
        "cross_entropy_loss",
        "ce",
    )
    main = "label_smoothing"
    of_probabilities = True

    label_smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of the target that is spread evenly over all classes."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        need_logits(self.kind, output_form)
        need_class_outputs(self.kind, output, target, classes)

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        return range_of_softmax(output[0], taken)

    def mean(self, batch: Compared) -> torch.Tensor:
        from torch.nn import functional

        output, target, weight = batch.output, batch.target, batch.weight
        if weight is None:
            return functional.cross_entropy(output, target, label_smoothing=self.label_smoothing)
        total = functional.cross_entropy(
            output,
            target,
            weight.to(output.dtype),
            label_smoothing=self.label_smoothing,
            reduction="sum",
            ignore_index=IGNORED,
        )
        return total / divisor(self.amount(target, weight))
