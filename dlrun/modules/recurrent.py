"""Recurrent layers that give one tensor, so that they stand in a chain like any other."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn


class Lstm(nn.LSTM):
    """torch's LSTM over (N, T, F), giving the last state (N, D*H) or every state (N, T, D*H)."""

    def __init__(self, *args: Any, output: Literal["last", "sequence"], **kwargs: Any):
        super().__init__(*args, batch_first=True, **kwargs)
        self.output = output

    def forward(self, x_NTF: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        states_NTH, (last, _) = super().forward(x_NTF)
        if self.output == "sequence":
            return states_NTH
        if self.bidirectional:
            return torch.cat((last[-2], last[-1]), dim=1)
        return last[-1]
