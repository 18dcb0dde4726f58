"""Whether the optimizer can move the weights of the network."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.errors import Problem
from dlrun.plan.network import Plan
from dlrun.shapes import show

FEW = 3
"""How many weights an error names."""


def check_optimizers(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold the optimizer to weights of shapes that it takes."""
    optimizer = reading.sections.get("optimizer")
    if optimizer is None:
        return
    trained = [(name, shape) for name, shape, _ in planned.weights() if name not in planned.frozen]
    unsuited = [f"{name} {show(shape)}" for name, shape in trained if not optimizer.suits(shape)]
    if unsuited:
        others = f" and {len(unsuited) - FEW} more" if len(unsuited) > FEW else ""
        message = f"{optimizer.kind} moves {optimizer.takes}, not {', '.join(unsuited[:FEW])}{others}"
        yield reading.problem(message, ("optimizer",), "choose another optimizer")
