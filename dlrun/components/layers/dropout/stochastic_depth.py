from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.components.layers.dropout._dropout import dropped
from dlrun.language.fields import Share
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class StochasticDepth(Layer):
    """In training, set a whole sample to 0 with probability p and multiply the other samples by 1/(1 - p).

    At the end of the layers of a residual, where `residual: {drop: p}` puts it, a dropped sample skips these layers.

    Shape: (...) -> (...)
    Reference: Huang, Sun, Liu, Sedra and Weinberger, Deep networks with stochastic depth, 2016.
    Example: stochastic_depth: 0.1
    """

    synonyms = ("drop_path",)
    padding_is = "per_step"

    p: Share = 0.5
    """The share of samples that is dropped; 1 - p is kept."""

    def same_in_training(self) -> bool:
        return self.p == 0

    def changeable(self) -> dict[str, float]:
        return {"p": self.p}

    def build_changing(self, held: Mapping[str, torch.Tensor]) -> torch.nn.Module:
        from dlrun.modules.dropout import ChangingDropout

        return ChangingDropout(held["p"], axes=1)

    def output_range(self, taken: Range) -> Range:
        return dropped(taken, self.p)

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.noise import StochasticDepth as Module

        return Module(self.p)
