"""Layers that pass no gradient back, so that the weights before them could never be trained."""

from __future__ import annotations

from dlrun.errors import Problem
from dlrun.plan.network import Plan, Step

NAMED = 3
"""How many layers a problem lists."""


def stuck(plan: Plan) -> list[Problem]:
    """A problem for each layer without a gradient that has trained weights before it."""
    return [
        _problem(step, trained)
        for step in plan.steps
        if step.layer is not None and not step.layer.differentiable and (trained := _trained_before(plan, step))
    ]


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


def _problem(step: Step, trained: list[Step]) -> Problem:
    names = ", ".join(before.name for before in trained[:NAMED])
    names += f" and {len(trained) - NAMED} more" if len(trained) > NAMED else ""
    message = f"the gradient of {step.kind} is 0 everywhere, so the weights of {names} could not be trained"
    notes = tuple((f"the weights of {before.name}", before.place) for before in trained[:NAMED] if before.place)
    patterns = ", ".join(before.name for before in trained)
    hint = f"use sigmoid or hardtanh instead, or train only the layers after it: `model.freeze: [{patterns}]`"
    return Problem(message, step.place, hint, notes)
