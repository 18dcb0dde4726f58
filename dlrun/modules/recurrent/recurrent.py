"""torch's recurrent layers with additions: a single output tensor, reading backwards, a learned first state.

They take (N, T, F), as all layers that read a sequence, and their weights have torch's names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from dlrun.modules.private_torch import WithPlainTensors
from dlrun.modules.recurrent.padding import RealSteps


def outcome(
    states_NTH: Tensor, output: str, reverse: bool, backward_size: int = 0, real: RealSteps | None = None
) -> Tensor:
    """All states, or the last of each direction: at the last step forwards, at the first step backwards.

    Args:
        states_NTH: the state of each step, at the position of that step.
        output: `sequence` or `last`.
        reverse: whether all were read backwards.
        backward_size: in two directions, how many features, at the end, were read backwards.
        real: the real steps, moved to the front, where there is padding.
    """
    if output == "sequence":
        return states_NTH if real is None else real.back(states_NTH)
    last_NH = states_NTH[:, -1] if real is None else real.last(states_NTH)
    if backward_size:
        forward_size = states_NTH.shape[2] - backward_size
        return torch.cat((last_NH[:, :forward_size], states_NTH[:, 0, forward_size:]), dim=1)
    return states_NTH[:, 0] if reverse else last_NH


class _Surrounded(WithPlainTensors, nn.RNNBase):
    """The additions to one of torch's recurrent modules, as a mixin before it."""

    def __init__(
        self,
        *sizes: Any,
        output: str,
        reverse: bool,
        recurrent_bias: bool,
        learned: Sequence[str] = (),
        **settings: Any,
    ):
        """
        Args:
            sizes: the sizes of the input and the state, for torch.
            output: `sequence` or `last`.
            reverse: read backwards.
            recurrent_bias: keep torch's second bias; else it is 0 and not a weight.
            learned: the names of the states that start from trained values.
            settings: the other arguments of torch's module.
        """
        super().__init__(*sizes, batch_first=True, **settings)
        self.output, self.reverse = output, reverse
        self.learned = tuple(learned)
        weights = dict(self.named_parameters())
        self.fixed = () if recurrent_bias else tuple(name for name in weights if name.startswith("bias_hh"))
        for name in self.fixed:
            # torch's kernels require it, so it stays as a plain tensor, neither trained nor saved.
            delattr(self, name)
            object.__setattr__(self, name, torch.zeros_like(weights[name]))
        self.collect_weights_again()
        rows = self.num_layers * (2 if self.bidirectional else 1)
        for name in self.learned:
            self.register_parameter(name, nn.Parameter(torch.zeros(rows, self.hidden_size)))

    def move_plain_tensors(self, move: Callable[[Tensor], Tensor]) -> None:
        for name in getattr(self, "fixed", ()):
            object.__setattr__(self, name, move(getattr(self, name)).zero_())

    def forward(self, x_NTF: Tensor, mask: Tensor | None = None) -> Tensor:  # type: ignore[override]
        real = None if mask is None else RealSteps(mask)
        x_NTF = x_NTF if real is None else real.front(x_NTF)
        x_NTF = self.turned(x_NTF, real)
        if real is not None and self.bidirectional and torch.compiler.is_compiling():
            states_NTH = self.both_ways(x_NTF, real)
        elif real is not None and self.bidirectional:
            # Reading backwards must begin at the last real step, which torch does only for packed sequences.
            packed = pack_padded_sequence(x_NTF, real.lengths.cpu(), batch_first=True, enforce_sorted=False)
            states, _ = super().forward(packed, self.first(x_NTF))
            states_NTH, _ = pad_packed_sequence(states, batch_first=True, total_length=x_NTF.shape[1])
        else:
            states_NTH, _ = super().forward(x_NTF, self.first(x_NTF))
        states_NTH = self.turned(states_NTH, real)
        return outcome(states_NTH, self.output, self.reverse, self.hidden_size if self.bidirectional else 0, real)

    def both_ways(self, x_NTF: Tensor, real: RealSteps) -> Tensor:
        """The states of two directions, each read by itself, with the same numbers as for packed sequences, which no
        format of exported networks has."""
        kernel = getattr(torch, self.mode.lower())
        weights, first = self.all_weights, self.first(x_NTF)
        for layer in range(self.num_layers):
            x_NTF = nn.functional.dropout(x_NTF, self.dropout, self.training) if layer else x_NTF
            runs = []
            for direction in (0, 1):
                row = 2 * layer + direction
                state = self.zeros(x_NTF) if first is None else _row(first, row)
                read_NTF = real.turned(x_NTF) if direction else x_NTF
                y_NTH = kernel(read_NTF, state, weights[row], self.bias, 1, 0.0, False, False, True)[0]
                runs.append(real.turned(y_NTH) if direction else y_NTH)
            x_NTF = torch.cat(runs, 2)
        return x_NTF

    def zeros(self, x_NTF: Tensor) -> Any:
        """The first states of one layer in one direction, as an argument for torch's kernel."""
        rows = x_NTF.shape[0]
        if self.mode != "LSTM":
            return x_NTF.new_zeros(1, rows, self.hidden_size)
        return x_NTF.new_zeros(1, rows, self.proj_size or self.hidden_size), x_NTF.new_zeros(1, rows, self.hidden_size)

    def turned(self, x_NTF: Tensor, real: RealSteps | None) -> Tensor:
        """The steps in the order of reading, or that order undone."""
        if not self.reverse:
            return x_NTF
        return x_NTF.flip(1) if real is None else real.turned(x_NTF)

    def first(self, x_NTF: Tensor) -> Any:
        """The first states as an argument for torch; None for zeros."""
        if not self.learned:
            return None
        states = [getattr(self, name).unsqueeze(1).expand(-1, x_NTF.shape[0], -1).contiguous() for name in self.learned]
        return tuple(states) if len(states) > 1 else states[0]


def _row(states: Any, row: int) -> Any:
    """The first states of one layer in one direction."""
    if isinstance(states, tuple):
        return tuple(state[row : row + 1] for state in states)
    return states[row : row + 1]


class Rnn(_Surrounded, nn.RNN):  # type: ignore[override]
    """torch's RNN over (N, T, F)."""


class Lstm(_Surrounded, nn.LSTM):  # type: ignore[override]
    """torch's LSTM over (N, T, F)."""


class Gru(_Surrounded, nn.GRU):  # type: ignore[override]
    """torch's GRU over (N, T, F)."""
