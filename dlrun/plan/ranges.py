"""The range of each value of a network, from the ranges that its layers declare."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.components.layers import EVERY, Container, Layer, Merging, Range
from dlrun.plan.network import Plan
from dlrun.plan.outputs import steps_to_form
from dlrun.plan.steps import Step
from dlrun.shapes import Shape, numel


def output_ranges(plan: Plan) -> list[Range]:
    """The lowest and highest value that each step can give, in their order."""
    found: list[Range] = []
    for step in plan.steps:
        taken = [found[index] for index in step.inputs]
        if isinstance(step.layer, Merging):
            found.append(step.layer.merged_range(taken))
        elif step.layer is None:
            found.append(EVERY)
        else:
            found.append(range_after(step.layer, taken, step.input_shapes))
    return found


def range_after(layer: Layer, taken: Sequence[Range], shapes: Sequence[Shape]) -> Range:
    """The lowest and highest value that a layer can give for inputs of these ranges and shapes."""
    low, high = layer.output_range(*taken)
    farthest = layer.farthest(*shapes)
    return max(low, -farthest), min(high, farthest)


def fixed_total(plan: Plan, output: str) -> tuple[Step, float] | None:
    """The layer that makes the outputs of each sample sum to one number, and that number; None where they need not."""
    steps = steps_to_form(plan, output)
    last = steps[-1]
    if last.layer is None or isinstance(last.layer, Container) or numel(last.output) != numel(steps[0].output):
        return None
    total = last.layer.total(*last.input_shapes)
    return None if total is None else (last, total)


def limiting(plan: Plan, ranges: list[Range], index: int) -> Step:
    """The step that limits a value's range: layers after it pass the range on."""
    while (step := plan.steps[index]).inputs and ranges[step.inputs[0]] == ranges[index]:
        index = step.inputs[0]
    return step


def in_words(range_: Range) -> str:
    """What can be said of outputs with this range: `are never negative`."""
    low, high = range_
    if low == high:
        return f"are always {low:g}"
    if low == -float("inf"):
        return "are never positive" if high == 0 else f"are never above {high:g}"
    if high == float("inf"):
        return "are never negative" if low == 0 else f"are never below {low:g}"
    return f"lie between {low:g} and {high:g}"
