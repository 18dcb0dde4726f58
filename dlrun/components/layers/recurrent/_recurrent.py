"""The base of the recurrent layers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from dlrun.components.layers import Role, WeightedLayer
from dlrun.language.fields import Positive, Share
from dlrun.shapes import Shape, ShapeError, Window, need_rank, numel


class Recurrent(WeightedLayer):
    """Reads a sequence step by step and passes a state on."""

    channel_axis = "last"
    padding_is = "masked"

    main: ClassVar[str | None] = "hidden_size"
    states: ClassVar[tuple[str, ...]] = ("h0",)
    """The states that are passed on, under the names of their weights where they start from trained values."""

    hidden_size: Positive
    """Length of the hidden state."""
    num_layers: Positive = 1
    """Number of layers in the stack, each reading the states of the one before."""
    bias: bool = True
    """Add trained offsets to each matrix product."""
    recurrent_bias: bool = True
    """Two offsets, one for the input and one for the state, as in torch; false: a single one, as in textbooks."""
    dropout: Share = 0.0
    """The share dropped between the layers of the stack; needs `num_layers` of 2 or more."""
    bidirectional: bool = False
    """Also read backwards, with separate weights, and concatenate both states."""
    reverse: bool = False
    """Read backwards: the last state is the one after the first step, and each state is at the step that it read."""
    output: Literal["last", "sequence"] = "last"
    """The state after the last step read, in each direction, or the state after every step."""
    initial_state: Literal["zero", "learned"] = "zero"
    """The state before the first step: zeros, or trained values, which start at 0 and count as biases."""

    @model_validator(mode="after")
    def _reverse_is_one_way(self) -> Self:
        if self.reverse and self.bidirectional:
            raise ValueError("reverse cannot be used with bidirectional, which reads both ways already")
        return self

    def same_in_training(self) -> bool:
        return self.dropout == 0

    def directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def gates(self) -> int:
        """The number of gates: vectors of the hidden size computed from the input and the state."""
        return 1

    def state_size(self) -> int:
        """The length of the state that is passed to the next step, which is also the output's."""
        return self.hidden_size

    def kept(self) -> int:
        """The number of values kept for the backward pass, for each step and direction."""
        raise NotImplementedError

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        if self.dropout and self.num_layers == 1:
            raise ShapeError(
                "dropout acts between layers, but there is only one", "set num_layers, or add `- dropout` after it"
            )
        size = self.directions() * self.state_size()
        return (size,) if self.output == "last" else (shape[0], size)

    def steps_read(self, *shapes: Shape) -> int:
        return shapes[0][0]

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (None,) * len(self.output_shape(shape))

    def biases(self) -> int:
        """The number of offsets of each gate."""
        return (1 + self.recurrent_bias) if self.bias else 0

    def single_weights(self, inputs: int) -> dict[str, Shape]:
        """The weights of one layer in one direction, under torch's names without the suffix."""
        size = self.gates() * self.hidden_size
        weights: dict[str, Shape] = {"weight_ih": (size, inputs), "weight_hh": (size, self.state_size())}
        return weights | dict.fromkeys(("bias_ih", "bias_hh")[: self.biases()], (size,))

    def single_count(self, inputs: int) -> str:
        """The number of these weights, as the textbook's expression with numbers."""
        sizes = f"{inputs} + {self.state_size()}" + (f" + {self.biases()}" if self.biases() else "")
        gates = f"{self.gates()} gates * " if self.gates() > 1 else ""
        return f"{gates}{self.hidden_size}*({sizes})"

    def inputs(self, layer: int, shape: Shape) -> int:
        """The number of features that a layer reads."""
        return shape[1] if layer == 0 else self.directions() * self.state_size()

    def learned(self) -> tuple[str, ...]:
        """The states that start from trained values."""
        return self.states if self.initial_state == "learned" else ()

    def weights(self, shape: Shape) -> dict[str, Shape]:
        weights: dict[str, Shape] = {}
        for layer in range(self.num_layers):
            single = self.single_weights(self.inputs(layer, shape))
            for suffix in ("", "_reverse")[: self.directions()]:
                weights |= {f"{name}_l{layer}{suffix}": size for name, size in single.items()}
        rows = self.num_layers * self.directions()
        return weights | {name: (rows, self.state_size()) for name in self.learned()}

    def role(self, weight: str) -> Role:
        return "bias" if weight in self.states else super().role(weight)

    def _multiplied(self, shape: Shape) -> int:
        matrices = (s for name, s in self.weights(shape).items() if name.startswith("weight") and len(s) == 2)
        return sum(map(numel, matrices))

    def macs(self, shape: Shape) -> int:
        return shape[0] * self._multiplied(shape)

    def formulas(self, shape: Shape) -> list[str]:
        lines = []
        both = "2 directions * " if self.bidirectional else ""
        for layer in range(min(self.num_layers, 2)):
            inputs = self.inputs(layer, shape)
            count = self.directions() * sum(map(numel, self.single_weights(inputs).values()))
            single = self.single_count(inputs)
            where = f"l{layer}" if layer == 0 or self.num_layers == 2 else f"each of l1 to l{self.num_layers - 1}"
            lines.append(f"{where} = {both}{f'({single})' if both else single} = {count}")
        if self.learned():
            states = f"{len(self.states)}*{self.num_layers * self.directions()}*{self.state_size()}"
            total = len(self.states) * self.num_layers * self.directions() * self.state_size()
            lines.append(f"{' and '.join(self.states)} = {states} = {total}")
        lines.append(f"multiply-adds {shape[0]} steps * {self._multiplied(shape)} in matrices = {self.macs(shape)}")
        return lines

    def activations(self, shape: Shape) -> int:
        # The input is kept as well, with time as its first axis.
        return shape[0] * self.directions() * (shape[1] + self.num_layers * self.kept())

    def stack_settings(self) -> dict[str, Any]:
        """The arguments of every module of a recurrent layer."""
        names = ("num_layers", "dropout", "bidirectional", "output", "reverse")
        return {name: getattr(self, name) for name in names}

    def torch_settings(self) -> dict[str, Any]:
        """The arguments of a module that extends torch's, besides the sizes."""
        return self.stack_settings() | {
            "bias": self.bias,
            "recurrent_bias": self.recurrent_bias,
            "learned": self.learned(),
        }

    def stepwise_settings(self, shape: Shape) -> dict[str, Any]:
        """The arguments of a module that computes the steps itself."""
        return self.stack_settings() | {
            "weights": self.weights(shape),
            "hidden_size": self.hidden_size,
            "state_size": self.state_size(),
        }
