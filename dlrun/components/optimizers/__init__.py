"""Optimizers: how the gradients move the weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dlrun.spec.component import Component

if TYPE_CHECKING:
    import torch

Beta = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(Component):
    """One of torch's optimizers, with torch's names and defaults, in its fused form where torch has one."""

    family: ClassVar[str] = "optimizers"

    def state_per_weight(self) -> int:
        """How many numbers it keeps for each trained weight."""
        raise NotImplementedError

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these weights."""
        raise NotImplementedError
