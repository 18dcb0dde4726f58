from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.layers import EVERY, Range
from dlrun.components.layers.recurrent._recurrent import Recurrent
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Gru(Recurrent):
    """Read a sequence step by step; one gate resets the old state, another decides how much of it is kept.

    r and z are sigmoids of W_ih x + b_ih + W_hh h + b_hh; the state is h = (1 - z)*n + z*h. With the reset after the
    product n = tanh(W_in x + b_in + r*(W_hn h + b_hn)), before it n = tanh(W_in x + b_in + W_hn (r*h) + b_hn).

    Shape: (T, F) -> (D*hidden_size,) for `last`, (T, D*hidden_size) for `sequence`; D = 2 if bidirectional, else 1
    Reference: Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine
        translation, 2014.
    Example: gru: {hidden_size: 64, num_layers: 2, dropout: 0.2}
    """

    synonyms = ("bi_gru: {bidirectional: true}",)

    reset: Literal["after", "before"] = "after"
    """Where r is applied: to the state's matrix product, as in torch and cuDNN, or to the state before the product, as
    in the paper."""

    def gates(self) -> int:
        return 3

    def kept(self) -> int:
        # r, z, n, the state and the reset part; torch's GRU keeps the values between them as well.
        return (5 if self.reset == "before" else 8) * self.hidden_size

    def output_range(self, taken: Range) -> Range:
        return (-1.0, 1.0) if self.initial_state == "zero" else EVERY

    def build(self, shape: Shape) -> torch.nn.Module:
        if self.reset == "before":
            from dlrun.modules.recurrent.stepwise import ResetBeforeGru

            return ResetBeforeGru(**self.stepwise_settings(shape))
        from dlrun.modules.recurrent.recurrent import Gru as Module

        return Module(shape[1], self.hidden_size, **self.torch_settings())
