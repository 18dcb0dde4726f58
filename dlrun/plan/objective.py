"""The objective: each loss and each metric with the output and the target that it compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.components.layers import Container, Layer
from dlrun.components.losses import Loss
from dlrun.components.metrics import Metric
from dlrun.errors import LocatedError
from dlrun.language.experiment import INPUT, TARGET
from dlrun.language.fields import OutputForm
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.data_info import DataInfo
from dlrun.plan.network import Plan
from dlrun.shapes import Shape


class ObjectiveError(LocatedError):
    """A loss or a metric cannot be paired with an output and a target; `at` is the path below it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The values that outputs are compared with: a target of the data, or an input of the network."""

    name: str
    is_input: bool


@dataclass(frozen=True, slots=True)
class Term:
    """A loss at its output."""

    loss: Loss
    output: str
    answer: Answer
    output_form: OutputForm
    name: str
    """The name of its value where there are several losses."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric at its output."""

    metric: Metric
    output: str
    answer: Answer
    output_form: OutputForm
    shape: Shape
    """The output's."""
    name: str
    """The name of its value."""
    of: int | None = None
    """The number of the class that it is about: see `Metric.value`."""


def term(loss: Loss, plan: Plan, data_info: DataInfo) -> Term:
    """A loss with the output and the target that it compares.

    Raises:
        ObjectiveError: it names none of several, or one that does not exist.
    """
    output = _output(loss, plan)
    return Term(
        loss, output, _answer(loss, output, plan, data_info), output_form(plan, output), called(loss, output, plan)
    )


def watched(metric: Metric, plan: Plan, terms: Sequence[Term]) -> Watched:
    """A metric with its output, and the target that the output's loss has.

    Raises:
        ObjectiveError: it names none of several outputs, or the output has no loss.
    """
    output = _output(metric, plan)
    judge = next((term for term in terms if term.output == output), None)
    if judge is None:
        raise ObjectiveError(f"the output '{output}' has no loss, so the metric has no target", at=("output",))
    name = called(metric, output, plan)
    return Watched(metric, output, judge.answer, judge.output_form, plan.output_shapes[output], name)


def _output(component: Loss | Metric, plan: Plan) -> str:
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
    if loss.of_input is None:
        named = output in data_info.targets
        if not named and TARGET not in data_info.targets:
            message = f"`data.target` has no entry for the output '{output}'"
            raise ObjectiveError(message, f"write `target: {{{output}: …}}`")
        return Answer(output if named else TARGET, is_input=False)
    names = list(plan.input_shapes)
    if loss.of_input == INPUT and len(names) == 1:
        return Answer(names[0], is_input=True)
    if loss.of_input not in names:
        known = ["data", "input"] if len(names) == 1 else ["data", *names]
        meant = did_you_mean(loss.of_input, known, {})
        raise ObjectiveError(
            f"'target' must be one of {', '.join(known)}; received '{loss.of_input}'{meant}", at=("target",)
        )
    return Answer(loss.of_input, is_input=True)


def called(component: Loss | Metric, output: str, plan: Plan) -> str:
    """The name of a loss's or a metric's value."""
    return f"{output}/{component.kind}" if len(plan.outputs) > 1 else component.kind


def output_form(plan: Plan, output: str) -> OutputForm:
    """The form that the last layer gives an output; layers that only change the shape keep it."""
    step = plan.steps[plan.outputs[output]]
    while isinstance(step.layer, Layer) and not isinstance(step.layer, Container) and step.layer.accepts == "any":
        step = plan.steps[step.inputs[0]]
    return step.layer.output_form if isinstance(step.layer, Layer) else ""
