"""The weights of a network that a regularizer or a constraint acts on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlrun.components.constraints import Constraint
from dlrun.components.layers import Layer
from dlrun.data.batches import Tensors
from dlrun.language.component import Component
from dlrun.language.weight_choice import WeightChoice
from dlrun.plan.network import Plan
from dlrun.plan.weights import acting

Pairs = Sequence[tuple[Layer, nn.Parameter]]
"""Weights, each with the layer that has it."""


def trained_weights(
    plan: Plan, network: nn.Module, setting: str, components: tuple[Component, ...]
) -> list[tuple[Any, Pairs]]:
    """What `acting` gives, as weights of the network, without those that the plan has frozen, and components of no
    others.
    """
    weights = network.state_dict(keep_vars=True)
    layers = {name: step.layer for name, _, step in plan.weights() if step.layer is not None}
    found: list[tuple[Any, Pairs]] = [
        (component, [(layers[name], weights[name]) for name in names if name not in plan.frozen])
        for component, names, _ in acting(plan, setting, components)
    ]
    return [(component, pairs) for component, pairs in found if pairs]


def as_taken(choice: WeightChoice, weights: Sequence[tuple[Layer, torch.Tensor]]) -> Tensors:
    """Weights as what acts on them takes them: as they are, or by output units."""
    if not choice.by_unit:
        return [weight for _, weight in weights]
    return [part for layer, weight in weights for part in layer.by_unit(weight)]


@dataclass(frozen=True, slots=True)
class Bound:
    """A constraint on weights of the network."""

    constraint: Constraint
    weights: Pairs

    def __call__(self) -> None:
        """Change the weights so that they obey."""
        # Detached only now: the weights of a small network move to other memory once (`speed/flat_weights.py`).
        self.constraint.apply(as_taken(self.constraint, [(layer, weight.detach()) for layer, weight in self.weights]))
