from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.layers import Range, Role
from dlrun.components.layers.recurrent._recurrent import Recurrent
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Lstm(Recurrent):
    """Read a sequence step by step, with a memory cell; gates decide what is written, forgotten and output.

    The gates i, f, o are sigmoids and g is a tanh, each of W_ih x + b_ih + W_hh h + b_hh; the cell is c = f*c + i*g,
    the state h = o*tanh(c).

    Shape: (T, F) -> (D*hidden_size,) for `last`, (T, D*hidden_size) for `sequence`; D = 2 if bidirectional, else 1
    Reference: Hochreiter and Schmidhuber, Long short-term memory, 1997; forget gates: Gers, Schmidhuber and Cummins,
        Learning to forget, 2000; peepholes: Gers and Schmidhuber, Recurrent nets that time and count, 2000; coupled
        gates: Greff et al., LSTM: a search space odyssey, 2017.
    Example: lstm: {hidden_size: 64, output: sequence}
    """

    synonyms = ("bi_lstm: {bidirectional: true}", "peephole_lstm: {peepholes: diagonal}", "cifg: {coupled: true}")
    states = ("h0", "c0")

    peepholes: Literal["none", "diagonal", "full"] = "none"
    """Let the gates depend on the cell, i and f on the old one and o on the new one: element by element (these weights
    count as scales), or through matrices."""
    coupled: bool = False
    """Write only as much as is forgotten: the input gate is 1 - f and has no weights."""

    def gates(self) -> int:
        return 3 if self.coupled else 4

    def single_weights(self, inputs: int) -> dict[str, Shape]:
        return super().single_weights(inputs) | dict.fromkeys(self._peepholes(), self._peephole_shape())

    def _peepholes(self) -> tuple[str, ...]:
        if self.peepholes == "none":
            return ()
        return ("weight_cf", "weight_co") if self.coupled else ("weight_ci", "weight_cf", "weight_co")

    def _peephole_shape(self) -> Shape:
        return (self.hidden_size,) * (2 if self.peepholes == "full" else 1)

    def single_count(self, inputs: int) -> str:
        count = super().single_count(inputs)
        if not self._peepholes():
            return count
        return f"{count} + {len(self._peepholes())} peepholes * " + "*".join(map(str, self._peephole_shape()))

    def role(self, weight: str) -> Role:
        diagonal = self.peepholes == "diagonal" and weight.startswith("weight_c")
        return "scale" if diagonal else super().role(weight)

    def kept(self) -> int:
        # The gates, the cell, its tanh and the state. torch's LSTM uses oneDNN, which keeps a workspace of 16.
        return (self.gates() + 3 if self._is_stepwise() else 18) * self.hidden_size

    def _is_stepwise(self) -> bool:
        return self.coupled or self.peepholes != "none"

    def output_range(self, taken: Range) -> Range:
        return -1.0, 1.0

    def build(self, shape: Shape) -> torch.nn.Module:
        if self._is_stepwise():
            from dlrun.modules.recurrent.stepwise import PeepholeLstm

            return PeepholeLstm(**self.stepwise_settings(shape))
        from dlrun.modules.recurrent.recurrent import Lstm as Module

        return Module(shape[1], self.hidden_size, **self.torch_settings())
