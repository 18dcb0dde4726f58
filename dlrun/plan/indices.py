"""How many indices each input of a network may have."""

from __future__ import annotations

from dlrun.plan.network import Plan


def index_limits(plan: Plan) -> dict[str, int]:
    """For each input that goes into embeddings, how many indices the smallest of them has."""
    limits: dict[str, int] = {}
    for step in plan.layers:
        count = step.layer.index_count() if step.layer else None
        if count is None:
            continue
        pending = list(step.inputs[:1])
        while pending:
            value = pending.pop()
            if value < len(plan.inputs):
                name = plan.inputs[value].name
                limits[name] = min(count, limits.get(name, count))
            pending += plan.steps[value].inputs
    return limits
