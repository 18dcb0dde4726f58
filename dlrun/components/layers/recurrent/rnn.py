from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from dlrun.components.layers import EVERY, Range
from dlrun.components.layers.recurrent._recurrent import Recurrent
from dlrun.language.fields import Positive
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Rnn(Recurrent):
    """Read a sequence step by step; each step depends on the input and on the step before.

    Hidden recurrence, Elman's network: h = f(W_ih x + b_ih + W_hh h + b_hh), and the output is h. Output recurrence,
    Jordan's network: h = f(W_ih x + b_ih + W_hh y + b_hh) with the output of the step before,
    y = W_hr h + b_hr, and the output is y. y is linear, so a loss can be applied to it directly; the next step
    depends on the hidden units only through y, so this network is weaker. (Jordan's state units also let old outputs
    decay; that is left out, as in the textbook.) f is tanh or relu.

    Shape: (T, F) -> (D*S,) for `last`, (T, D*S) for `sequence`; S = hidden_size, or output_size where the output
        recurs; D = 2 if bidirectional, else 1
    Reference: Elman, Finding structure in time, 1990; Jordan, Serial order: a parallel distributed processing approach,
        1986, as drawn in Goodfellow, Bengio and Courville, Deep Learning, 2016, figure 10.4.
    Example: rnn: {hidden_size: 64, nonlinearity: relu}
    """

    synonyms = (
        "simple_rnn",
        "vanilla_rnn",
        "elman",
        "elman_rnn",
        "jordan: {recurrence: output}",
        "jordan_rnn: {recurrence: output}",
        "bi_rnn: {bidirectional: true}",
    )

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """The activation f of the hidden units."""
    recurrence: Literal["hidden", "output"] = "hidden"
    """What is passed to the next step: the hidden state, or only the output."""
    output_size: Positive | None = None
    """Length of the output that is fed back; required for `recurrence: output`, and only for that."""

    @model_validator(mode="after")
    def _output_has_a_size(self) -> Self:
        if self.recurrence == "output" and self.output_size is None:
            raise ValueError("recurrence: output needs output_size, the length of the output that is fed back")
        if self.recurrence == "hidden" and self.output_size is not None:
            raise ValueError("output_size is only for recurrence: output; the output here is the hidden state")
        return self

    def state_size(self) -> int:
        return self.output_size or self.hidden_size

    def single_weights(self, inputs: int) -> dict[str, Shape]:
        weights = super().single_weights(inputs)
        if self.output_size is None:
            return weights
        weights["weight_hr"] = (self.output_size, self.hidden_size)
        return weights | ({"bias_hr": (self.output_size,)} if self.bias else {})

    def single_count(self, inputs: int) -> str:
        count = super().single_count(inputs)
        if self.output_size is None:
            return count
        return f"{count} + {self.output_size}*({self.hidden_size}{' + 1' if self.bias else ''})"

    def kept(self) -> int:
        # The hidden state, and the output or, since torch concatenates the steps, the state again.
        return self.hidden_size + self.state_size()

    def output_range(self, taken: Range) -> Range:
        if self.recurrence == "output":
            return EVERY
        return (-1.0, 1.0) if self.nonlinearity == "tanh" else (0.0, math.inf)

    def build(self, shape: Shape) -> torch.nn.Module:
        if self.recurrence == "output":
            from dlrun.modules.recurrent.stepwise import Jordan

            return Jordan(**self.stepwise_settings(shape), nonlinearity=self.nonlinearity)
        from dlrun.modules.recurrent.recurrent import Rnn as Module

        return Module(shape[1], self.hidden_size, nonlinearity=self.nonlinearity, **self.torch_settings())
