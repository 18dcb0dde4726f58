"""What an output is compared with: a target of the data, an input, another output or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dlrun.components.losses import DATA, Loss
from dlrun.language.experiment import INPUT, TARGET
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.data_info import DataInfo, Target
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError
from dlrun.shapes import Shape


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


def answer_of(loss: Loss, output: str, plan: Plan, data_info: DataInfo) -> Answer:
    """What a loss compares an output with.

    Raises:
        ObjectiveError: the loss names nothing that there is, or the output has no target.
    """
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


def need_class(label: str, target: Target | None, setting: str = "of") -> None:
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
