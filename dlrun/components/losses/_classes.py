"""The base of the losses on classes: their weights, and the positions that do not count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.losses import Compared, Loss, OutputForm, WeightError
from dlrun.language.component import checked
from dlrun.language.suggestions import did_you_mean, shorten
from dlrun.language.target_kind import TargetKind, at_one_position
from dlrun.shapes import Range, Shape, ShapeError, show

if TYPE_CHECKING:
    import torch


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _read_weight(value: Any) -> str | tuple[float, ...] | dict[str, float]:
    if value == "balanced":
        return value
    if isinstance(value, list | tuple) and value and all(map(_is_weight, value)) and any(value):
        return tuple(map(float, value))
    if isinstance(value, dict) and value and all(map(_is_weight, value.values())):
        return {str(name): float(number) for name, number in value.items()}
    what = "`balanced`, a list with a number for each class, or a mapping from classes to numbers, of 0 or more"
    raise ValueError(f"weights are {what}; received {shorten(value)}")


_number: dict[str, Any] = {"type": "number", "minimum": 0}
ClassWeights = Annotated[
    Literal["balanced"] | tuple[float, ...] | dict[str, float],
    PlainValidator(checked(_read_weight)),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["balanced"]},
                {"type": "array", "items": _number, "minItems": 1},
                {"type": "object", "additionalProperties": _number, "minProperties": 1},
            ]
        }
    ),
]
"""The weight of each class."""


def _read_class(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"a class is expected, as the data writes it; received {shorten(value)}")
    return str(value)


ClassName = Annotated[
    str, PlainValidator(checked(_read_class)), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
]
"""A class, as the data writes it."""


class ClassesLoss(Loss):
    """Compares the outputs for all classes with the number of the right one."""

    wants: ClassVar[TargetKind] = "classes"

    weight: ClassWeights | None = None
    """How much each class counts: a list in the order of the classes; a mapping from some classes to their weights,
    where the others have 1; or `balanced`, n / (classes * n_c) with the numbers of training rows n and n_c. The loss of
    a batch is divided by the sum of the weights of its rows."""
    ignore_index: ClassName | None = None
    """The class whose positions do not count, as the data writes it, where a row has a class at each of several
    positions. Padding never counts, also without this."""

    @property
    def ignored_class(self) -> str | None:
        return self.ignore_index

    def weights(self, labels: Sequence[str], counts: Sequence[int | None] | None) -> tuple[float, ...] | None:
        if isinstance(self.weight, tuple) and len(self.weight) != len(labels):
            message = f"`weight` has {len(self.weight)} numbers, and the data has {len(labels)} classes"
            raise WeightError(message, f"the classes in order are {', '.join(labels[:10])}", ("weight",))
        if isinstance(self.weight, dict):
            if unknown := [name for name in self.weight if name not in labels]:
                meant = did_you_mean(unknown[0], labels, {})
                hint = f"the classes are {', '.join(labels[:10])}" + (", …" if len(labels) > 10 else "")
                raise WeightError(f"the target has no class '{unknown[0]}'{meant}", hint, ("weight",))
            return tuple(self.weight.get(label, 1.0) for label in labels)
        if self.weight != "balanced":
            return self.weight
        if counts is None:
            return (1.0,) * len(labels)
        if not counts:
            message = "`balanced` counts rows of classes, and the target is probabilities"
            raise WeightError(message, "write a list or a mapping of weights", ("weight",))
        known = {label: count for label, count in zip(labels, counts, strict=True) if count is not None}
        if lacking := [label for label, count in known.items() if not count]:
            message = f"the class '{lacking[0]}' has no training row, so it has no balanced weight"
            raise WeightError(message, "write a mapping of weights, or split with `stratify: true`", ("weight",))
        total = sum(known.values())
        return tuple(total / (len(known) * known[label]) if label in known else 0.0 for label in labels)

    def amount(self, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        assert weight is not None
        return row_weights(target, weight).sum()

    def rows(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(M,) the loss of each row or position; every class number is 0 or more."""
        raise NotImplementedError

    def mean(self, batch: Compared) -> torch.Tensor:
        if batch.weight is None:
            return self.rows(batch.output, batch.target).mean()
        weights = row_weights(batch.target, batch.weight)
        return (self.rows(batch.output, batch.target.clamp(min=0)) * weights).sum() / divisor(weights.sum())


def row_weights(target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How much each row counts: the weight of its class, 0 for one below 0; of probabilities, their mean weight."""
    if target.is_floating_point():
        return (target * weight).sum(-1)
    return weight[target.clamp(min=0)] * (target >= 0)


def divisor(amount: torch.Tensor) -> torch.Tensor:
    """What counts in a batch, where nothing does a number above 0: the loss is 0 then, and so is its gradient."""
    return amount.where(amount > 0, 1.0)


def need_class_outputs(kind: str, output: Shape, target: Shape, classes: int | None) -> None:
    """Hold outputs to one for each class, at each position at which the target has one.

    Raises:
        ShapeError: they are not.
    """
    at_one = at_one_position(output, target)
    if at_one is None and target:
        raise _not_at_positions(kind, output, target)
    if at_one is None:
        raise ShapeError(f"{kind} needs one output for each class; the network outputs {show(output)}")
    if classes is not None and at_one[0] < classes:
        raise ShapeError(
            f"the data has {classes} classes, but the network outputs {show(output)}", "end in `- linear: $classes`"
        )


def range_of_softmax(classes: int, taken: Range) -> Range:
    """The lowest and the highest probability that logits in a range can give a class."""
    gap, others = min(taken[1] - taken[0], 700.0), classes - 1  # the others are then all at the other end of the range
    return 1 / (1 + others * math.exp(gap)), 1 / (1 + others * math.exp(-gap))


def need_logits(kind: str, output_form: OutputForm) -> None:
    """Hold outputs to logits, to which the loss applies the softmax itself.

    Raises:
        ShapeError: they are something else.
    """
    if output_form == "distribution":
        raise ShapeError(
            f"{kind} takes logits and applies the softmax itself; a softmax before it weakens gradients",
            "remove the final `softmax`",
        )
    if output_form == "log_distribution":
        raise ShapeError(
            f"{kind} takes logits and applies the log_softmax itself; a second one changes nothing",
            "remove the final `log_softmax`",
        )
    if output_form:
        raise ShapeError(
            f"{kind} takes logits, but the network ends in a sigmoid",
            "remove the final sigmoid, or use `binary_cross_entropy`",
        )


def _not_at_positions(kind: str, output: Shape, target: Shape) -> ShapeError:
    where = ", ".join(map(str, target))
    needed = f"({where}, classes)" if len(target) == 1 else f"(classes, {where})"
    message = (
        f"the target has a class at each of {show(target)} positions, so {kind} needs outputs {needed}; the "
        f"network outputs {show(output)}"
    )
    if output == target:
        return ShapeError(message, "if the target is columns of 0 and 1, `argmax(axis=1)` makes one class of them")
    sequence = "`output: sequence` keeps the outputs of a recurrent layer at every step"
    return ShapeError(message, sequence if len(target) == 1 and len(output) == 1 else "")
