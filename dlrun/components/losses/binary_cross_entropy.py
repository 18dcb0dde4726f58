from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.losses import Compared, OutputForm, WeightError
from dlrun.components.losses._binary import BinaryLoss
from dlrun.language.component import checked
from dlrun.language.suggestions import shorten
from dlrun.shapes import Range, Shape, ShapeError

if TYPE_CHECKING:
    import torch


def _read_pos_weight(value: Any) -> str | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != "balanced" and not (is_number and 0 < value < math.inf):
        raise ValueError(f"a positive number or `balanced` is expected; received {shorten(value)}")
    return value if isinstance(value, str) else float(value)


class BinaryCrossEntropy(BinaryLoss):
    """Minus the log of the predicted probability of the correct label, for binary targets.

    After a final `sigmoid` the outputs are probabilities, and the loss is computed from the logits under it. Without it
    they are logits, and the loss includes the sigmoid. Both stay exact where the probability rounds to 0 or 1.
    It is minus the log likelihood of a Bernoulli distribution.

    Shape: output (1,), target 0 or 1 (or as many as outputs). -(pos_weight*y*log(p) + (1 - y)*log(1 - p))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.
    Example: binary_cross_entropy: {pos_weight: 2}
    """

    synonyms = ("log_loss", "bce", "bce_loss", "binary_crossentropy", "bce_with_logits", "bce_with_logits_loss")
    of_probabilities = True

    pos_weight: (
        Annotated[
            Literal["balanced"] | float,
            PlainValidator(checked(_read_pos_weight)),
            WithJsonSchema({"anyOf": [{"enum": ["balanced"]}, {"type": "number", "exclusiveMinimum": 0}]}),
        ]
        | None
    ) = None
    """The factor on the loss where the target is 1; `balanced` is the number of training rows with 0 by that with 1."""

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form == "log_probabilities":
            raise ShapeError(
                "binary_cross_entropy takes logits or probabilities, but the network outputs their logarithms",
                "end in `- sigmoid`, or remove the final `log_sigmoid`",
            )
        super().check(output, target, classes, output_form)

    def probabilities(self, output: Shape, taken: Range, output_form: OutputForm) -> Range:
        if output_form == "probabilities":
            return taken
        low, high = (0.5 + 0.5 * math.tanh(0.5 * end) for end in taken)
        return low, high

    def weights(self, labels: Sequence[str], counts: Sequence[int | None] | None) -> tuple[float, ...] | None:
        if self.pos_weight is None:
            return None
        if self.pos_weight != "balanced":
            return (float(self.pos_weight),)
        if len(labels) != 2:
            message = "`pos_weight: balanced` is for one column of two classes"
            raise WeightError(message, "write a number", ("pos_weight",))
        if counts is None:
            return (1.0,)
        known = [count or 0 for count in counts]
        if not all(known):
            lacking = labels[known.index(0)]
            message = f"the class '{lacking}' has no training row, so there is no balanced weight"
            raise WeightError(message, "write a number, or split with `stratify: true`", ("pos_weight",))
        return (known[0] / known[1],)

    def mean(self, batch: Compared) -> torch.Tensor:
        from torch.nn import functional

        output, target, weight = batch.output, batch.target, batch.weight
        if batch.output_form == "probabilities":
            factor = None if weight is None else 1 + (weight - 1) * target
            return functional.binary_cross_entropy(output, target, factor)
        return functional.binary_cross_entropy_with_logits(output, target, pos_weight=weight)
