"""The base of the dropouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import Share

if TYPE_CHECKING:
    import torch


def dropped(taken: Range, p: float) -> Range:
    """The range of numbers of which a share p is set to 0 and the others are multiplied by 1/(1 - p)."""
    if not p:
        return taken
    factor = 1 / (1 - p) if p < 1 else 1.0
    return min(0.0, taken[0] * factor), max(0.0, taken[1] * factor)


class AnyDropout(TorchLayer):
    """Drops a share of its input, in training only."""

    drops: ClassVar[int | None] = None
    """How many axes are told apart, with that of the rows: what lies in the others is dropped together. None: all."""
    keeps_moments: ClassVar[bool] = False
    """Whether mean and variance stay the same, as after selu."""

    p: Share = 0.5
    """The share that is dropped; 1 - p is kept."""

    def same_in_training(self) -> bool:
        return self.p == 0

    def changeable(self) -> dict[str, float]:
        return {"p": self.p}

    def build_changing(self, held: Mapping[str, torch.Tensor]) -> torch.nn.Module:
        from dlrun.modules.dropout import ChangingAlphaDropout, ChangingDropout

        return (ChangingAlphaDropout if self.keeps_moments else ChangingDropout)(held["p"], self.drops)

    def output_range(self, taken: Range) -> Range:
        return dropped(taken, self.p)
