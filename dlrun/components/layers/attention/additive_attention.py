from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Range, WeightedLayer
from dlrun.components.layers.attention._attention import need_steps
from dlrun.language.fields import Positive
from dlrun.shapes import Shape, ShapeError, need_rank, show

if TYPE_CHECKING:
    import torch


class AdditiveAttention(WeightedLayer):
    """A weighted mean of a sequence for each state; a small network compares the state with each step.

    Shape: a state (Q,) or states (T, Q), and (S, M) from the layer called `memory` -> (M,) or (T, M);
        sum over s of a_s*m_s, a = softmax(v tanh(W q + U m_s))
    Reference: Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align and translate, 2015.
    Example: additive_attention: {hidden_size: 32, memory: encoder}
    """

    channel_axis = "last"
    second_inputs = ("memory",)
    sees_all = True
    padding_is = "masked"

    hidden_size: Positive
    """The width of the small network."""
    memory: str
    """The name of the earlier layer whose output is the sequence."""

    def output_shape(self, shape: Shape, memory: Shape) -> Shape:  # type: ignore[override]
        if len(shape) not in (1, 2):
            raise ShapeError(f"needs a state (features,) or states (time, features); received {show(shape)}")
        need_rank(memory, "time, features")
        need_steps(memory)
        return (*shape[:-1], memory[1])

    def output_range(self, taken: Range, memory: Range) -> Range:  # type: ignore[override]
        return memory

    def steps_read(self, *shapes: Shape) -> int:
        return shapes[-1][0]

    def weights(self, shape: Shape, memory: Shape) -> dict[str, Shape]:  # type: ignore[override]
        width = self.hidden_size
        return {
            "query.weight": (width, shape[-1]),
            "memory.weight": (width, memory[1]),
            "memory.bias": (width,),
            "score.weight": (1, width),
        }

    def buffers(self, shape: Shape, memory: Shape) -> dict[str, Shape]:  # type: ignore[override]
        return {}

    def _factors(self, shape: Shape, memory: Shape) -> tuple[int, int, int, int, int]:
        states = shape[0] if len(shape) == 2 else 1
        return states, shape[-1], memory[0], memory[1], self.hidden_size

    def macs(self, shape: Shape, memory: Shape) -> int:  # type: ignore[override]
        states, queries, steps, features, width = self._factors(shape, memory)
        return states * queries * width + steps * features * width + states * steps * (width + features)

    def formulas(self, shape: Shape, memory: Shape) -> list[str]:  # type: ignore[override]
        states, queries, steps, features, width = self._factors(shape, memory)
        terms = f"{states}*{queries}*{width} + {steps}*{features}*{width} + {states}*{steps}*({width} + {features})"
        return [f"multiply-adds {terms} = {self.macs(shape, memory)}"]

    def activations(self, shape: Shape, memory: Shape) -> int:  # type: ignore[override]
        states, _, steps, features, width = self._factors(shape, memory)
        return states * steps * (width + 1) + states * features

    def build(self, shape: Shape, memory: Shape) -> torch.nn.Module:  # type: ignore[override]
        from dlrun.modules.attention import AdditiveAttention as Module

        return Module(shape[-1], memory[1], self.hidden_size)
