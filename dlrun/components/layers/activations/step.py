from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Step(Layer):
    """1 for numbers from 0 on, 0 for negative ones. Its gradient is 0, so no layer before it can be trained.

    Shape: (...) -> (...), y = 1 if x >= 0 else 0
    Reference: McCulloch and Pitts, A logical calculus of the ideas immanent in nervous activity, 1943.
    Example: step
    """

    synonyms = ("heaviside", "binary_step")
    padding_is = "per_step"

    differentiable = False

    def output_range(self, taken: Range) -> Range:
        return float(taken[0] >= 0), float(taken[1] >= 0)

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.activations import Step as Module

        return Module()
