"""Each metric with its output, the class that it is about, and the names of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dlrun.components.metrics import Metric
from dlrun.language.fields import OutputForm
from dlrun.language.labels import in_names, in_spec
from dlrun.language.target_kind import at_one_position
from dlrun.plan.answers import Answer, need_class
from dlrun.plan.data_info import DataInfo
from dlrun.plan.losses import Term
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError, called, output_of
from dlrun.shapes import Shape, numel

MOST_VALUES = 1024
"""Values of one metric: each is written in every epoch, for the training rows and for the validation rows."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric at its output."""

    metric: Metric
    output: str
    answer: Answer
    output_form: OutputForm
    shape: Shape
    """The output's, or that of one of its positions."""
    name: str
    """The name of its value."""
    of: int | None = None
    """The number of the class that it is about: see `Metric.value`."""
    label: str = ""
    """The class that it is about; '' where all count alike."""
    positions: Shape = ()
    """See `Term.positions`."""
    parts: tuple[str, ...] = ()
    """The names of its values below `name`; () for a metric of one value."""
    labels: tuple[str, ...] = ()
    """The class that each value is about, where it has one for each class."""
    most_probable: bool = False
    """Whether the target is probabilities, of which the metric takes the most probable class."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its values."""
        return tuple(f"{self.name}/{part}" for part in self.parts) or (self.name,)


def watched(metric: Metric, plan: Plan, terms: Sequence[Term], data_info: DataInfo) -> Watched:
    """A metric with its output, the target that the output's loss has, and the class that it is about.

    Raises:
        ObjectiveError: it names none of several outputs, or the output has no loss; it names no class of the target;
            it has too many values.
    """
    output = output_of(metric, plan)
    judge = next((term for term in terms if term.output == output), None)
    if judge is None:
        raise ObjectiveError(f"the output '{output}' has no loss, so the metric has no target", at=("output",))
    of, label = _class_of(metric, judge, data_info) if judge.loss.wants in metric.suits else (None, "")
    name = called(metric, output, plan)
    shape = plan.output_shape(output)
    if judge.positions:
        shape = at_one_position(shape, judge.positions) or shape
    several = metric.is_of_each or metric.is_table
    classes = _classes(judge, shape, data_info) if several else ()
    values = len(classes) ** 2 if metric.is_table else len(classes)
    if values > MOST_VALUES:
        message = f"{metric.kind} has {values:,} values for these outputs; the most are {MOST_VALUES:,}"
        raise ObjectiveError(message, "choose a metric of one value, such as `accuracy` or `f1: macro`")
    return Watched(
        metric,
        output,
        judge.answer,
        judge.output_form,
        shape,
        name,
        of,
        label,
        judge.positions,
        metric.value_names(in_names(classes)),
        classes if metric.is_of_each else (),
        judge.wants == "probabilities",
    )


def _classes(judge: Term, shape: Shape, data_info: DataInfo) -> tuple[str, ...]:
    """The names of the classes, or of several yes or no, in the order of their numbers; else the numbers."""
    target = data_info.targets[judge.answer.name] if judge.answer.of_data else None
    labels = target.labels or () if target else ()
    if judge.loss.wants == "classes":
        return (*labels, *(str(number) for number in range(len(labels), shape[0])))
    if numel(shape) > 1:
        fields = target.fields if target else ()
        return fields if len(fields) == numel(shape) else tuple(map(str, range(numel(shape))))
    if target is None or target.positive is None:
        return ("0", "1")
    return labels if target.positive else labels[::-1]


def _class_of(metric: Metric, judge: Term, data_info: DataInfo) -> tuple[int | None, str]:
    """The number and the name of the class that a metric is about: the one that it names, or the loss, or the rarer."""
    target = data_info.targets[judge.answer.name] if judge.answer.of_data else None
    if metric.named_class is not None:
        need_class(metric.named_class, target)
    labels = target.labels if target else None
    if not metric.is_of_one(len(labels) if labels else None):
        if metric.needs_one_class:
            why = "`average: binary` does not say which"
            if metric.named_class:
                why = "`of` names one, and `average` is over all"
            message = f"{metric.kind} is asked for one class and for several: {why}"
            hint = (
                f"`{metric.kind}: {{of: {in_spec(metric.named_class or labels[0])}}}`" if labels else "remove `average`"
            )
            raise ObjectiveError(message, hint)
        return None, ""
    assert target is not None and labels is not None
    named_class = metric.named_class or judge.loss.named_class
    number = labels.index(named_class) if named_class is not None else target.rarer
    assert number is not None
    return number if target.positive is None else int(number == target.positive), labels[number]


def judging(watched: Iterable[Watched]) -> Watched | None:
    """The metric that compares a network with others: the first of one value of which more, or less, is better."""
    return next((one for one in watched if not one.parts and one.metric.greater_is_better is not None), None)
