from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.layers import WeightedLayer
from dlrun.shapes import Shape, ShapeError, need_rank
from dlrun.spec.fields import Positive, Share

if TYPE_CHECKING:
    import torch


class Lstm(WeightedLayer):
    """Read a sequence step by step, with a memory that gates write, forget and show.

    Shape: (T, F) -> (D*hidden_size,) for `last`, (T, D*hidden_size) for `sequence`; D = 2 if bidirectional, else 1
    Reference: Hochreiter and Schmidhuber, Long short-term memory, 1997; forget gates: Gers, 2000.
    Example: lstm: {hidden_size: 64, output: sequence}
    """

    hidden_size: Positive
    """The length of the hidden state."""
    num_layers: Positive = 1
    """How many LSTMs stand on each other, each reading the states of the one below."""
    bias: bool = True
    """Two trained offsets a gate, as torch has them: one for the input, one for the state."""
    dropout: Share = 0.0
    """The share dropped between the layers."""
    bidirectional: bool = False
    """Read backwards too, and put both states side by side."""
    output: Literal["last", "sequence"] = "last"
    """The state after the last step (reading backwards: after the first), or the state after every step."""

    def directions(self) -> int:
        """2 if it reads both ways."""
        return 2 if self.bidirectional else 1

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        if self.dropout and self.num_layers == 1:
            raise ShapeError(
                "its dropout acts between layers, and it has one", "set num_layers, or add `- dropout` after it"
            )
        size = self.directions() * self.hidden_size
        return (size,) if self.output == "last" else (shape[0], size)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        gates = 4 * self.hidden_size
        for layer in range(self.num_layers):
            inputs = shape[1] if layer == 0 else self.directions() * self.hidden_size
            for suffix in ("", "_reverse")[: self.directions()]:
                end = f"l{layer}{suffix}"
                found |= {f"weight_ih_{end}": (gates, inputs), f"weight_hh_{end}": (gates, self.hidden_size)}
                if self.bias:
                    found |= {f"bias_ih_{end}": (gates,), f"bias_hh_{end}": (gates,)}
        return found

    def macs(self, shape: Shape) -> int:
        matrices = (s for name, s in self.weights(shape).items() if name.startswith("weight"))
        return shape[0] * sum(rows * columns for rows, columns in matrices)

    def formulas(self, shape: Shape) -> list[str]:
        gates = 4 * self.hidden_size
        line = f"each layer: 4*{self.hidden_size} = {gates} gates, each with the input and {self.hidden_size} states"
        return [line, f"multiply-adds {shape[0]} steps * all weights but biases = {self.macs(shape)}"]

    def activations(self, shape: Shape) -> int:
        # A step keeps four gates, the cell and the hidden state.
        return shape[0] * self.num_layers * self.directions() * 6 * self.hidden_size

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.recurrent import Lstm as Module

        return Module(
            shape[1],
            self.hidden_size,
            self.num_layers,
            self.bias,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
            output=self.output,
        )
