"""Which optimizer moves which weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.components.optimizers import Optimizer
from dlrun.errors import SpecPath
from dlrun.plan.names import matches
from dlrun.plan.network import Plan
from dlrun.shapes import Shape, numel


@dataclass(frozen=True, slots=True)
class Moved:
    """The weights that one optimizer moves."""

    optimizer: Optimizer
    weights: dict[str, Shape]
    """Full names and shapes; those of frozen weights are not among them."""
    path: SpecPath
    """The place of the optimizer in the spec."""

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return sum(numel(shape) for shape in self.weights.values())

    @property
    def name(self) -> str:
        """The optimizer and the patterns of its weights."""
        return " ".join([self.optimizer.kind, *(self.optimizer.weights or ())])


def moved(plan: Plan, optimizer: Any) -> tuple[list[Moved], dict[str, Shape]]:
    """The weights of each optimizer: each weight belongs to the first one that it fits; and those of none.

    Args:
        plan: the network.
        optimizer: the section of the spec: one optimizer, several or None.
    """
    left = {name: shape for name, shape, _ in plan.weights() if name not in plan.frozen}
    several: Sequence[Any] = optimizer if isinstance(optimizer, tuple) else (optimizer,) if optimizer else ()
    found = []
    for index, one in enumerate(several):
        own = {name: shape for name, shape in left.items() if fits(name, one)}
        left = {name: shape for name, shape in left.items() if name not in own}
        path = ("optimizer", index) if isinstance(optimizer, tuple) else ("optimizer",)
        found.append(Moved(one, own, path))
    return found, left


def fits(weight: str, optimizer: Optimizer) -> bool:
    """Whether a weight is one of those that an optimizer names; one that names none moves all."""
    patterns = optimizer.weights
    return patterns is None or any(matches(weight, pattern) for pattern in patterns)
