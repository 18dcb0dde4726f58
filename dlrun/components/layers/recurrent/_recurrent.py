"""What the recurrent layers share."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from dlrun.components.layers import Role, WeightedLayer
from dlrun.language.fields import Positive, Share
from dlrun.shapes import Shape, ShapeError, Window, need_rank, numel


class Recurrent(WeightedLayer):
    """Reads a sequence step by step and hands a state on."""

    padding_is = "masked"

    main: ClassVar[str | None] = "hidden_size"
    states: ClassVar[tuple[str, ...]] = ("h0",)
    """The states that are handed on, by the names that they have where they start from trained values."""

    hidden_size: Positive
    """The length of the hidden state."""
    num_layers: Positive = 1
    """How many stand on each other, each reading the states of the one below."""
    bias: bool = True
    """Add trained offsets wherever a matrix is multiplied."""
    recurrent_bias: bool = True
    """Two offsets, one with the input and one with the state, as torch has them; false: the textbook's single one."""
    dropout: Share = 0.0
    """The share dropped between the layers; needs `num_layers` of 2 or more."""
    bidirectional: bool = False
    """Read backwards too, with weights of its own, and put both states side by side."""
    reverse: bool = False
    """Read backwards: the last state is the one after the first step, and every state stands at the step it read."""
    output: Literal["last", "sequence"] = "last"
    """The state after the last step that is read, in each direction; or the state after every step."""
    initial_state: Literal["zero", "learned"] = "zero"
    """What the first step starts from: zeros, or trained values, which start at 0 and count as biases."""

    @model_validator(mode="after")
    def _reverse_is_one_way(self) -> Self:
        if self.reverse and self.bidirectional:
            raise ValueError("bidirectional reads both ways already; leave reverse out")
        return self

    def directions(self) -> int:
        """2 if it reads both ways."""
        return 2 if self.bidirectional else 1

    def gates(self) -> int:
        """How many vectors of the hidden size the input and the state are multiplied to."""
        return 1

    def state_size(self) -> int:
        """The length of what is handed to the next step, and of what comes out."""
        return self.hidden_size

    def kept(self) -> int:
        """How many values a step keeps for the backward pass, in one direction."""
        raise NotImplementedError

    def output_shape(self, shape: Shape) -> Shape:
        need_rank(shape, "time, features")
        if self.dropout and self.num_layers == 1:
            raise ShapeError(
                "its dropout acts between layers, and it has one", "set num_layers, or add `- dropout` after it"
            )
        size = self.directions() * self.state_size()
        return (size,) if self.output == "last" else (shape[0], size)

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (None,) * len(self.output_shape(shape))

    def biases(self) -> int:
        """How many offsets a gate has."""
        return (1 + self.recurrent_bias) if self.bias else 0

    def single_weights(self, inputs: int) -> dict[str, Shape]:
        """The weights of one layer in one direction, by torch's names without their ends."""
        size = self.gates() * self.hidden_size
        found: dict[str, Shape] = {"weight_ih": (size, inputs), "weight_hh": (size, self.state_size())}
        return found | dict.fromkeys(("bias_ih", "bias_hh")[: self.biases()], (size,))

    def single_count(self, inputs: int) -> str:
        """How many weights that makes, as an expression: the textbook's, with numbers."""
        sizes = f"{inputs} + {self.state_size()}" + (f" + {self.biases()}" if self.biases() else "")
        gates = f"{self.gates()} gates * " if self.gates() > 1 else ""
        return f"{gates}{self.hidden_size}*({sizes})"

    def inputs(self, layer: int, shape: Shape) -> int:
        """How many features a layer reads."""
        return shape[1] if layer == 0 else self.directions() * self.state_size()

    def learned(self) -> tuple[str, ...]:
        """The states that start from trained values."""
        return self.states if self.initial_state == "learned" else ()

    def weights(self, shape: Shape) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        for layer in range(self.num_layers):
            single = self.single_weights(self.inputs(layer, shape))
            for suffix in ("", "_reverse")[: self.directions()]:
                found |= {f"{name}_l{layer}{suffix}": size for name, size in single.items()}
        rows = self.num_layers * self.directions()
        return found | {name: (rows, self.state_size()) for name in self.learned()}

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
        # What is read is kept as well, laid out time first.
        return shape[0] * self.directions() * (shape[1] + self.num_layers * self.kept())

    def stacking(self) -> dict[str, Any]:
        """What every module of a recurrent layer takes."""
        names = ("num_layers", "dropout", "bidirectional", "output", "reverse")
        return {name: getattr(self, name) for name in names}

    def as_torch_takes_it(self) -> dict[str, Any]:
        """What a module around torch's own takes besides the sizes."""
        return self.stacking() | {
            "bias": self.bias,
            "recurrent_bias": self.recurrent_bias,
            "learned": self.learned(),
        }

    def as_stepwise(self, shape: Shape) -> dict[str, Any]:
        """What a module that walks the steps takes."""
        return self.stacking() | {
            "weights": self.weights(shape),
            "hidden_size": self.hidden_size,
            "state_size": self.state_size(),
        }
