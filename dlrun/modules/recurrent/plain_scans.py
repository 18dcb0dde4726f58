"""The recurrences of `scans` for exported networks: each step anew, without writing into memory that is there.

Each function takes what the scan takes and returns what it returns; autograd computes its gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def lstm_states(
    pgates_TNG: Tensor,
    h: Tensor,
    c: Tensor,
    weight_hh: Tensor,
    weight_ci: Tensor | None,
    weight_cf: Tensor | None,
    weight_co: Tensor | None,
) -> Tensor:
    """As `LstmScan`."""
    states = []
    for pgates in pgates_TNG.unbind(0):
        *pi, pf, pg, po = (pgates + h @ weight_hh.T).split(h.shape[1], 1)
        f = torch.sigmoid(_seen(pf, c, weight_cf))
        i = torch.sigmoid(_seen(pi[0], c, weight_ci)) if pi else 1 - f  # coupled gates
        c = f * c + i * torch.tanh(pg)
        h = torch.sigmoid(_seen(po, c, weight_co)) * torch.tanh(c)
        states.append(h)
    return torch.stack(states)


def _seen(gate: Tensor, cell: Tensor, weight: Tensor | None) -> Tensor:
    """A gate before its sigmoid, with what its peephole adds."""
    if weight is None:
        return gate
    return gate + (cell @ weight.T if weight.dim() == 2 else cell * weight)


def gru_states(pgates_TNG: Tensor, h: Tensor, weight_hh: Tensor) -> Tensor:
    """As `GruScan`."""
    size = h.shape[1]
    mix_gates, mix_new = weight_hh[: 2 * size].T, weight_hh[2 * size :].T
    states = []
    for pgates in pgates_TNG.unbind(0):
        r, z = torch.sigmoid(pgates[:, : 2 * size] + h @ mix_gates).split(size, 1)
        n = torch.tanh(pgates[:, 2 * size :] + (r * h) @ mix_new)
        h = n + z * (h - n)
        states.append(h)
    return torch.stack(states)


def jordan_outputs(
    p_TNH: Tensor, y: Tensor, weight_hh: Tensor, weight_hr: Tensor, bias: Tensor | None, relu: bool
) -> Tensor:
    """As `JordanScan`."""
    outputs = []
    for p in p_TNH.unbind(0):
        before = p + y @ weight_hh.T
        y = (torch.relu(before) if relu else torch.tanh(before)) @ weight_hr.T
        y = y if bias is None else y + bias
        outputs.append(y)
    return torch.stack(outputs)
