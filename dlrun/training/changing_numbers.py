"""The numbers that schedules change, in the memory from which a step reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dlrun.network.build import place_module
from dlrun.network.names import torch_path
from dlrun.plan.network import Plan
from dlrun.plan.schedules import Scheduled


class ChangingNumbers:
    """The numbers with their schedules, and tensors for those that a captured step reads."""

    def __init__(self, scheduled: Sequence[Scheduled], device: torch.device):
        self.scheduled = scheduled
        self.tensors = [
            torch.tensor(one.number.value, dtype=torch.float32, device=device) if one.number.group is None else None
            for one in scheduled
        ]
        """For each number the tensor that has its value in the current step; None for a setting of an optimizer."""

    def held(self, component: Any) -> dict[str, torch.Tensor]:
        """The tensors of a component's numbers, by their names."""
        pairs = zip(self.scheduled, self.tensors, strict=True)
        return {one.number.setting: held for one, held in pairs if one.number.owner is component and held is not None}

    def current(self, component: Any) -> Any:
        """The component with its tensors in place of the numbers, if it has any."""
        held = self.held(component)
        return component.with_numbers(held) if held else component

    def put_into(self, network: nn.Module, plan: Plan) -> None:
        """Replace the modules of layers with such numbers by those that read the tensors."""
        for step in plan.layers:
            if step.layer is not None and not step.shared and (held := self.held(step.layer)):
                place_module(network, torch_path(step.name), step.layer.build_changing(held))
