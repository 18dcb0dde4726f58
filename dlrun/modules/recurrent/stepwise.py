"""Recurrent layers that torch does not have: stacks of scans, with torch's names for the weights.

Like torch's layers they take (N, T, F). The input's part of all steps is one product; the scans compute the steps.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dlrun.modules.private_torch import parameters_of
from dlrun.modules.recurrent.padding import RealSteps
from dlrun.modules.recurrent.plain_scans import gru_states, jordan_outputs, lstm_states
from dlrun.modules.recurrent.recurrent import outcome
from dlrun.modules.recurrent.scans import GruScan, JordanScan, LstmScan
from dlrun.shapes import Shape


def turned(x_TNF: Tensor, real: RealSteps | None) -> Tensor:
    """The steps in reverse order, time first."""
    return x_TNF.flip(0) if real is None else real.turned(x_TNF.transpose(0, 1)).transpose(0, 1)


class Stepwise(nn.Module):
    """Layers of one recurrence, each reading the states of the one before, in one direction or both."""

    def __init__(
        self,
        weights: dict[str, Shape],
        *,
        hidden_size: int,
        state_size: int,
        num_layers: int,
        dropout: float,
        bidirectional: bool,
        output: str,
        reverse: bool,
    ):
        """
        Args:
            weights: the shape of each weight by its name, torch's name where there is one; `h0` and `c0` where they
                are learned.
            hidden_size: the number of hidden units, which sets the range of the first values.
            state_size: the length of the state that is passed to the next step.
            num_layers, dropout, bidirectional: as in torch.
            output: `sequence` or `last`.
            reverse: read backwards.

        Raises:
            ValueError: there is dropout, but only one layer.
        """
        super().__init__()
        if dropout and num_layers == 1:
            raise ValueError("dropout acts between layers, but there is only one")
        bound = 1 / math.sqrt(hidden_size)
        for name, shape in weights.items():
            learned = name in ("h0", "c0")
            first = torch.zeros(shape) if learned else torch.empty(shape).uniform_(-bound, bound)
            self.register_parameter(name, nn.Parameter(first))
        self.state_size, self.num_layers, self.dropout = state_size, num_layers, dropout
        self.bidirectional, self.output, self.reverse = bidirectional, output, reverse

    def forward(self, x_NTF: Tensor, mask: Tensor | None = None) -> Tensor:
        real = None if mask is None else RealSteps(mask)
        x_TNF = (x_NTF if real is None else real.front(x_NTF)).transpose(0, 1)
        directions = 2 if self.bidirectional else 1
        for layer in range(self.num_layers):
            if layer:
                x_TNF = functional.dropout(x_TNF, self.dropout, self.training)
            runs = []
            for direction in range(directions):
                backwards = self.reverse or direction == 1
                end = f"l{layer}" + ("_reverse" if direction else "")
                read_TNF = turned(x_TNF, real) if backwards else x_TNF
                y_TNH = self.scan(read_TNF, end, layer * directions + direction)
                runs.append(turned(y_TNH, real) if backwards else y_TNH)
            x_TNF = torch.cat(runs, 2) if len(runs) > 1 else runs[0]
        backward_size = self.state_size if self.bidirectional else 0
        return outcome(x_TNF.transpose(0, 1), self.output, self.reverse, backward_size, real)

    def scan(self, x_TNF: Tensor, end: str, row: int) -> Tensor:
        """Compute all steps of one layer in one direction.

        Args:
            x_TNF: the steps in the order of reading.
            end: the suffix of the layer's weights, such as `l0_reverse`.
            row: the layer's index in the first states.
        """
        raise NotImplementedError

    def weight(self, name: str) -> Tensor | None:
        """The weight with this name, or None."""
        return parameters_of(self).get(name)

    def matrix(self, name: str) -> Tensor:
        """The weight with this name, which exists."""
        return self.get_parameter(name)

    def from_input(self, x_TNF: Tensor, end: str) -> Tensor:
        """The part of every step that comes from the input and the biases."""
        weight = self.matrix(f"weight_ih_{end}")
        bias, second = self.weight(f"bias_ih_{end}"), self.weight(f"bias_hh_{end}")
        if bias is not None and second is not None:
            bias = bias + second
        # Where autocast has lowered the precision, back to that of the weights.
        return functional.linear(x_TNF, weight, bias).to(weight.dtype)

    def first(self, name: str, row: int, x_TNF: Tensor) -> Tensor:
        """The state before the first step."""
        rows, states = x_TNF.shape[1], self.weight(name)
        if states is None:
            return self.matrix("weight_ih_l0").new_zeros(rows, self.state_size)
        return states[row].expand(rows, -1).contiguous()


class PeepholeLstm(Stepwise):
    """An LSTM whose gates depend on the cell, or whose input gate is 1 - forget gate: see `LstmScan`."""

    def scan(self, x_TNF: Tensor, end: str, row: int) -> Tensor:
        peepholes = [self.weight(f"weight_c{gate}_{end}") for gate in "ifo"]
        h0, c0 = (self.first(name, row, x_TNF) for name in ("h0", "c0"))
        pgates_TNG = self.from_input(x_TNF, end)
        scan = lstm_states if torch.compiler.is_compiling() else LstmScan.apply
        return scan(pgates_TNG, h0, c0, self.matrix(f"weight_hh_{end}"), *peepholes)  # type: ignore[return-value]


class ResetBeforeGru(Stepwise):
    """A GRU that resets the state before it multiplies: see `GruScan`."""

    def scan(self, x_TNF: Tensor, end: str, row: int) -> Tensor:
        pgates_TNG, h0 = self.from_input(x_TNF, end), self.first("h0", row, x_TNF)
        scan = gru_states if torch.compiler.is_compiling() else GruScan.apply
        return scan(pgates_TNG, h0, self.matrix(f"weight_hh_{end}"))  # type: ignore[return-value]


class Jordan(Stepwise):
    """A network whose output is fed back: see `JordanScan`."""

    def __init__(self, weights: dict[str, Shape], *, nonlinearity: str, **settings: Any):
        super().__init__(weights, **settings)
        self.relu = nonlinearity == "relu"

    def scan(self, x_TNF: Tensor, end: str, row: int) -> Tensor:
        p_TNH, y0 = self.from_input(x_TNF, end), self.first("h0", row, x_TNF)
        out, bias = self.matrix(f"weight_hr_{end}"), self.weight(f"bias_hr_{end}")
        scan = jordan_outputs if torch.compiler.is_compiling() else JordanScan.apply
        return scan(p_TNH, y0, self.matrix(f"weight_hh_{end}"), out, bias, self.relu)  # type: ignore[return-value]
