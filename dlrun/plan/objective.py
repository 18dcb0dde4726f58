"""The objective: each loss and each metric with the output and the target that it compares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dlrun.components.layers import Container, Layer
from dlrun.components.losses import DATA, Loss, WeightError
from dlrun.components.metrics import Metric
from dlrun.components.regularizers import PredictionRegularizer
from dlrun.errors import LocatedError
from dlrun.language.experiment import INPUT, TARGET, TrainSection
from dlrun.language.fields import OutputForm
from dlrun.language.labels import in_names
from dlrun.language.suggestions import did_you_mean
from dlrun.language.target_kind import TargetKind, at_one_position
from dlrun.plan.data_info import DataInfo, Target
from dlrun.plan.network import Plan
from dlrun.plan.steps import Step
from dlrun.shapes import Shape, numel, show

ClassCounts = Mapping[str, Mapping[str, Sequence[int]]]
"""For each target and each class how many rows, or positions, it has in training, validation and test."""
MOST_VALUES = 1024
"""Values of one metric: each is written in every epoch, for the training rows and for the validation rows."""


class ObjectiveError(LocatedError):
    """A loss or a metric cannot be paired with an output and a target; `at` is the path below it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The values that outputs are compared with."""

    name: str
    """Of the target, the input or the output; '' for one number."""
    origin: Literal["target", "input", "output", "number"] = "target"
    number: float = 0.0
    follows: bool = False
    """Whether the gradient reaches the output that it is."""

    @property
    def of_data(self) -> bool:
        """Whether it is a target of the data."""
        return self.origin == "target"


@dataclass(frozen=True, slots=True)
class Term:
    """A loss at its output."""

    loss: Loss
    output: str
    answer: Answer
    output_form: OutputForm
    """The output's."""
    name: str
    """The name of its value where there are several losses."""
    from_logits: bool
    """Whether it is computed from the logits under the output's sigmoid."""
    label: str
    """The class for which the target is 1; '' where there is none."""
    positions: Shape = ()
    """Those of a row at which the target has a class; () for one class a row."""
    weight: tuple[float, ...] | None = None
    """What `Loss.weights` gives; ones where only some positions count."""
    wants: TargetKind = "numbers"
    """How the target is read."""

    @property
    def is_uneven(self) -> bool:
        """Whether rows, or positions, count unequally."""
        return self.weight is not None and self.loss.wants == "classes"


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


@dataclass(frozen=True, slots=True)
class Monitor:
    """The metric that decides which weights are the best."""

    name: str
    rising: bool
    """Whether a larger value is better."""
    delta: float
    """Only a change larger than this is better."""

    def is_better(self, value: float, best: float) -> bool:
        """Whether a finite value is better than the best so far, which is NaN at first."""
        return math.isnan(best) or (value > best + self.delta if self.rising else value < best - self.delta)


def monitor(train: TrainSection, watched: Iterable[Watched], validated: bool) -> Monitor:
    """The metric of early stopping or of `best`; else the loss of the validation rows, or of the training rows without
    those."""
    stopping, chosen = train.early_stopping, train.early_stopping or train.best
    name = chosen.monitor if chosen else "validation/loss" if validated else "train/loss"
    return Monitor(name, is_rising(name, watched), stopping.min_delta if stopping else 0.0)


def is_rising(name: str, watched: Iterable[Watched]) -> bool:
    """Whether a larger value is better, of a metric such as `validation/accuracy`; a smaller loss is better."""
    measured = name.partition("/")[2]
    return any(measured in one.names and one.metric.greater_is_better for one in watched)


def term(loss: Loss, plan: Plan, data_info: DataInfo, counts: ClassCounts | None = None) -> Term:
    """A loss with the output and the target that it compares.

    `counts` are the rows of each class, where they are known.

    Raises:
        ObjectiveError: it names none of several, or one that does not exist.
    """
    output = _output(loss, plan)
    answer, form = _answer(loss, output, plan, data_info), output_form(plan, output)
    layer = steps_to_form(plan, output)[-1].layer
    from_logits = loss.wants == "binary" and layer is not None and layer.logit_slope is not None
    target = data_info.targets[answer.name] if answer.of_data else None
    if loss.named_class is not None:
        _need_class(loss.named_class, target)
    _need_ignored(loss, target)
    _need_further(loss, output, plan)
    label = target.labels[target.positive] if target and target.labels and target.positive is not None else ""
    wants = target.wants if target else loss.wants
    positions = target.shape if target and wants == "classes" else ()
    weight = _weight(loss, target, answer, counts)
    return Term(loss, output, answer, form, called(loss, output, plan), from_logits, label, positions, weight, wants)


def _weight(loss: Loss, target: Target | None, answer: Answer, counts: ClassCounts | None) -> tuple[float, ...] | None:
    """The weights of a loss; ones where only some positions count."""
    labels: tuple[str, ...] = target.labels or () if target else ()
    rows: Sequence[int | None] | None = None
    if target is not None and target.wants == "probabilities":
        rows = ()
    elif target is not None and counts is not None and answer.name in counts:
        found = [counts[answer.name][label][0] for label in labels]
        rows = [None if number == target.ignored else count for number, count in enumerate(found)]
    if target is not None and target.positive == 0:  # the first class is that for which the target is 1
        labels, rows = labels[::-1], rows[::-1] if rows else rows
    try:
        weights = loss.weights(labels, rows)
    except WeightError as error:
        raise ObjectiveError(error.message, error.hint, error.at) from None
    is_partial = target is not None and target.ignored is not None
    return (1.0,) * len(labels) if weights is None and is_partial else weights


def _need_ignored(loss: Loss, target: Target | None) -> None:
    """Hold the class that a loss ignores to those of the target, at several positions.

    Raises:
        ObjectiveError: there is no such class, or one class a row.
    """
    if loss.ignored_class is None:
        return
    assert target is not None
    if not target.shape:
        hint = "leave the rows of this class out of the data, or give it the weight 0: `weight: {CLASS: 0}`"
        message = "'ignore_index' is for a class at each of several positions, and the target is one class a row"
        raise ObjectiveError(message, hint.replace("CLASS", loss.ignored_class), ("ignore_index",))
    _need_class(loss.ignored_class, target, "ignore_index")


def _need_further(loss: Loss, output: str, plan: Plan) -> None:
    """Hold further outputs that a loss takes to outputs of the same shape.

    Raises:
        ObjectiveError: there is no such output, or it has another shape.
    """
    for setting, name in loss.further.items():
        if name not in plan.outputs or name == output:
            others = [one for one in plan.outputs if one != output]
            meant = did_you_mean(name, others, {})
            hint = f"the other outputs are {', '.join(others)}" if others else "`model.outputs` lists several"
            raise ObjectiveError(f"the network has no other output '{name}'{meant}", hint, (setting,))
        shapes = plan.output_shape(output), plan.output_shape(name)
        if shapes[0] != shapes[1]:
            message = f"the output '{name}' is {show(shapes[1])}, and '{output}' is {show(shapes[0])}"
            raise ObjectiveError(message, "end both in layers of one size", (setting,))


def _need_class(label: str, target: Target | None, setting: str = "of") -> None:
    """Hold a class that a loss or a metric names to those of the target.

    Raises:
        ObjectiveError: there is no such class.
    """
    if target is None or target.labels is None:
        what = "no classes of the data" if target is None else "numbers of 0 and 1 without names"
        hint = f"remove `{setting}`, or give the target in one column of classes"
        raise ObjectiveError(f"'{setting}' names a class, and the target is {what}", hint, (setting,))
    if label not in target.labels:
        few = ", ".join(target.labels[:10]) + (", …" if len(target.labels) > 10 else "")
        meant = did_you_mean(label, target.labels, {})
        raise ObjectiveError(f"the target has no class '{label}'{meant}", f"the classes are {few}", (setting,))


def watched(metric: Metric, plan: Plan, terms: Sequence[Term], data_info: DataInfo) -> Watched:
    """A metric with its output, the target that the output's loss has, and the class that it is about.

    Raises:
        ObjectiveError: it names none of several outputs, or the output has no loss; it names no class of the target;
            it has too many values.
    """
    output = _output(metric, plan)
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
        _need_class(metric.named_class, target)
    labels = target.labels if target else None
    if not metric.is_of_one(len(labels) if labels else None):
        if metric.needs_one_class:
            why = "`average: binary` does not say which"
            if metric.named_class:
                why = "`of` names one, and `average` is over all"
            message = f"{metric.kind} is asked for one class and for several: {why}"
            hint = f"`{metric.kind}: {{of: {metric.named_class or labels[0]}}}`" if labels else "remove `average`"
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


def objective(
    losses: Sequence[Loss],
    metrics: Sequence[Metric],
    plan: Plan,
    data_info: DataInfo,
    counts: ClassCounts | None = None,
) -> tuple[list[Term], list[Watched]]:
    """All losses and metrics of a spec that was checked; `counts` are the rows of each class, where they are known.

    Raises:
        ObjectiveError: a class has no training row, and so no balanced weight; the path begins with the loss's index.
    """
    terms = []
    for index, loss in enumerate(losses):
        try:
            terms.append(term(loss, plan, data_info, counts))
        except ObjectiveError as error:
            error.at = (index, loss.kind, *error.at)
            raise
    return terms, [watched(metric, plan, terms, data_info) for metric in metrics]


def _output(component: Loss | Metric | PredictionRegularizer, plan: Plan) -> str:
    names = list(plan.outputs)
    if component.output is None:
        if len(names) > 1:
            hint = f"there are {', '.join(names)}: `{component.kind}: {{output: {names[0]}}}`"
            raise ObjectiveError(f"{component.kind} does not say which output it is for", hint)
        return names[0]
    if component.output not in names:
        meant = did_you_mean(component.output, names, {})
        there = f"there {'are' if len(names) > 1 else 'is'} {', '.join(names)}"
        hint = "" if meant else f"{there}; `model.outputs` lists the layers that are outputs"
        raise ObjectiveError(f"the network has no output '{component.output}'{meant}", hint, ("output",))
    return component.output


def _answer(loss: Loss, output: str, plan: Plan, data_info: DataInfo) -> Answer:
    meant = loss.compared_with
    if not isinstance(meant, str):
        return Answer("", "number", meant)
    if meant == DATA:
        named = output in data_info.targets
        if not named and TARGET not in data_info.targets:
            message = f"`data.target` has no entry for the output '{output}'"
            raise ObjectiveError(message, f"write `target: {{{output}: …}}`")
        return Answer(output if named else TARGET)
    inputs, others = list(plan.input_shapes), [name for name in plan.outputs if name != output]
    if meant == INPUT and len(inputs) == 1:
        return Answer(inputs[0], "input")
    if meant in inputs and meant in others:
        message = f"'{meant}' is an input and an output, so it does not say which the outputs are compared with"
        raise ObjectiveError(message, "give the layer of the output another name", ("target",))
    if meant in inputs:
        return Answer(meant, "input")
    if meant in others:
        return Answer(meant, "output", follows=loss.follows_target)
    known = [DATA, *(["input"] if len(inputs) == 1 else inputs), *others]
    likely = did_you_mean(meant, known, {})
    message = f"'target' must be a number or one of {', '.join(known)}; received '{meant}'{likely}"
    raise ObjectiveError(message, at=("target",))


def answer_shape(answer: Answer, output: str, plan: Plan, data_info: DataInfo) -> Shape:
    """The shape of one row of what an output is compared with."""
    if answer.origin == "number":
        return plan.output_shape(output)
    if answer.origin == "output":
        return plan.output_shape(answer.name)
    return plan.input_shapes[answer.name] if answer.origin == "input" else data_info.targets[answer.name].shape


def predicted(regularizer: PredictionRegularizer, plan: Plan, terms: Sequence[Term]) -> Term:
    """The loss that says how the output that a regularizer penalizes is read.

    Raises:
        ObjectiveError: it names none of several outputs, or the output's loss is not on probabilities.
    """
    output = _output(regularizer, plan)
    for found in terms:
        if found.output == output and found.loss.of_probabilities:
            return found
    message = f"{regularizer.kind} is for predicted probabilities, and no loss takes the output '{output}' as such"
    raise ObjectiveError(message, "it goes with `cross_entropy` and `binary_cross_entropy`")


def called(component: Loss | Metric, output: str, plan: Plan) -> str:
    """The name of a loss's or a metric's value."""
    return f"{output}/{component.kind}" if len(plan.outputs) > 1 else component.kind


def output_form(plan: Plan, output: str) -> OutputForm:
    """The form that the last layer gives an output; layers that only change the shape keep it."""
    layer = steps_to_form(plan, output)[-1].layer
    return layer.output_form if isinstance(layer, Layer) else ""


def steps_to_form(plan: Plan, output: str) -> list[Step]:
    """The steps from an output back to the layer that gives it its form: all but the last only change the shape."""
    steps = [plan.steps[plan.outputs[output]]]
    while _only_reshapes(steps[-1]):
        steps.append(plan.steps[steps[-1].inputs[0]])
    return steps


def _only_reshapes(step: Step) -> bool:
    layer = step.layer
    return isinstance(layer, Layer) and not isinstance(layer, Container) and layer.accepts == "any"


def value_of(step: int) -> str:
    """The name under which a network in training returns the value of a step that is penalized."""
    return f"{step}/value"


def logits_of(output: str) -> str:
    """The name under which a network in training returns the logits of an output that is a sigmoid's."""
    return f"{output}/logits"
