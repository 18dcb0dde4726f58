"""Layers that pass no gradient back, so that the weights before them could never be trained.

Their gradient is 0 everywhere, or they always give the same number.
"""

from __future__ import annotations

from dlrun.errors import Problem
from dlrun.plan.network import Plan, Step
from dlrun.plan.ranges import in_words, output_ranges

NAMED = 3
"""How many layers a problem lists."""


def stuck(plan: Plan) -> list[Problem]:
    """A problem for each layer without a gradient that has trained weights before it."""
    ranges, found = output_ranges(plan), list[Problem]()
    for step, (low, high) in zip(plan.steps, ranges, strict=True):
        if step.layer is None:
            continue
        why = "" if step.layer.differentiable else f"the gradient of {step.kind} is 0 everywhere"
        if not why and low == high and all(ranges[index][0] < ranges[index][1] for index in step.inputs):
            why = f"the outputs of {step.kind} are always {low:g}, since its inputs {in_words(ranges[step.inputs[0]])}"
        if why and (trained := _trained_before(plan, step)):
            found.append(_problem(step, why, trained, flat=not step.layer.differentiable))
    return found


def _trained_before(plan: Plan, step: Step) -> list[Step]:
    """The steps with trained weights that a step's value is computed from, each name once, in order."""
    pending, seen = list(step.inputs), set[int]()
    while pending:
        index = pending.pop()
        if index not in seen:
            seen.add(index)
            pending += plan.steps[index].inputs
    found: dict[str, Step] = {}
    for before in (plan.steps[index] for index in sorted(seen)):
        if any(f"{before.name}.{weight}" not in plan.frozen for weight in before.weights):
            found.setdefault(before.name, before)
    return list(found.values())


def _problem(step: Step, why: str, trained: list[Step], flat: bool) -> Problem:
    names = ", ".join(before.name for before in trained[:NAMED])
    names += f" and {len(trained) - NAMED} more" if len(trained) > NAMED else ""
    message = f"{why}, so the weights of {names} could not be trained"
    notes = tuple((f"the weights of {before.name}", before.place) for before in trained[:NAMED] if before.place)
    patterns = ", ".join(before.name for before in trained)
    hint = f"remove the `{step.kind}`, or what limits its inputs"
    if flat:
        hint = f"use sigmoid or hardtanh instead, or train only the layers after it: `model.freeze: [{patterns}]`"
    return Problem(message, step.place, hint, notes)
