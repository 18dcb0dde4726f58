"""Which output a loss or a metric is for, and which layer gives the output its form."""

from __future__ import annotations

from dlrun.components.decisions import Decision
from dlrun.components.layers import Container, Layer
from dlrun.components.losses import Loss
from dlrun.components.metrics import Metric
from dlrun.components.regularizers import PredictionRegularizer
from dlrun.errors import LocatedError
from dlrun.language.fields import OutputForm
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.network import Plan
from dlrun.plan.steps import Step


class ObjectiveError(LocatedError):
    """A loss or a metric cannot be paired with an output and a target; `at` is the path below it."""


def output_of(component: Loss | Metric | PredictionRegularizer | Decision, plan: Plan) -> str:
    """The output that a component is for: the one that it names, or the only one.

    Raises:
        ObjectiveError: it names none of several, or one that does not exist.
    """
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
