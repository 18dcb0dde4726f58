"""The range of each value of a network, from the ranges that its layers declare."""

from __future__ import annotations

from dlrun.components.layers import EVERY, Merging, Range
from dlrun.plan.network import Plan
from dlrun.plan.steps import Step


def output_ranges(plan: Plan) -> list[Range]:
    """The lowest and highest value that each step can give, in their order."""
    found: list[Range] = []
    for step in plan.steps:
        taken = [found[index] for index in step.inputs]
        if isinstance(step.layer, Merging):
            found.append(step.layer.merged_range(taken))
        else:
            found.append(step.layer.output_range(taken[0]) if step.layer is not None else EVERY)
    return found


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
