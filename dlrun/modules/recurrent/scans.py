"""Recurrences over all steps at once, each with its backward pass written out.

A scan takes the input's part of every step, time first (T, N, G), and computes the steps with as few and as cheap calls
as possible. The backward pass is written out because autograd would keep a dozen nodes for each step, and would compute
the gradient of the weights with one product for each step instead of one for all.

`p` begins the names of values before their sigmoid or tanh, `d` those of gradients. The gates are next to each other in
torch's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_relu_backward = torch.ops.aten.threshold_backward.grad_input


def _states_before(first_NH: Tensor, states_TNH: Tensor) -> Tensor:
    """The state before each step."""
    return torch.cat((first_NH.unsqueeze(0), states_TNH[:-1]))


def _weight_gradient(d_TNG: Tensor, x_TNF: Tensor) -> Tensor:
    """The gradient of a matrix that is used at every step, in one product."""
    return d_TNG.flatten(0, 1).T @ x_TNF.flatten(0, 1)


def _lstm_gates(gates_TNG: Tensor, size: int) -> tuple[Tensor, ...]:
    """All gates; those computed before the cell; then i, f, g and o (i is f where they are coupled)."""
    before = gates_TNG[..., : -2 * size]
    return gates_TNG, before, before[..., :size], before[..., -size:], *gates_TNG[..., -2 * size :].split(size, 2)


class LstmScan(Function):
    """An LSTM with peepholes or coupled gates.

    Forward takes pgates (T, N, 4*H) of i, f, g, o, or (T, N, 3*H) of f, g, o where i = 1 - f; h0 and c0 (N, H);
    weight_hh (4*H, H) or (3*H, H); and the peepholes into i, f and o: none, (H,) element by element, or (H, H) each.
    Returns the states (T, N, H).
    """

    @staticmethod
    def forward(
        ctx: Any,
        pgates_TNG: Tensor,
        h0: Tensor,
        c0: Tensor,
        weight_hh: Tensor,
        weight_ci: Tensor | None,
        weight_cf: Tensor | None,
        weight_co: Tensor | None,
    ) -> Tensor:
        size = h0.shape[1]
        gates = torch.empty(pgates_TNG.shape, dtype=h0.dtype, device=h0.device)
        cells, shown, states = (gates.new_empty(len(gates), *h0.shape) for _ in range(3))
        coupled = gates.shape[2] == 3 * size
        full, peep = _peephole(weight_cf)
        to_i, to_f, to_o = (w.T if full and w is not None else w for w in (weight_ci, weight_cf, weight_co))
        mix = weight_hh.T
        h, c = h0, c0
        per_step = zip(pgates_TNG, *_lstm_gates(gates, size), cells, shown, states, strict=True)
        for pgate, gate, before, i, f, g, o, cell, tanh_cell, state in per_step:
            torch.addmm(pgate, h, mix, out=gate)
            if to_i is not None:
                peep(i, c, to_i)
            if to_f is not None:
                peep(f, c, to_f)
            before.sigmoid_()
            g.tanh_()
            if coupled:
                torch.lerp(g, c, f, out=cell)
            else:
                torch.mul(f, c, out=cell).addcmul_(i, g)
            if to_o is not None:
                peep(o, cell, to_o)
            o.sigmoid_()
            torch.tanh(cell, out=tanh_cell)
            torch.mul(o, tanh_cell, out=state)
            h, c = state, cell
        ctx.save_for_backward(gates, cells, shown, states, h0, c0, weight_hh, weight_ci, weight_cf, weight_co)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dstates: Tensor) -> Any:  # type: ignore[override]
        gates, cells, shown, states, h0, c0, weight_hh, *to_gates = ctx.saved_tensors
        to_i, to_f, to_o = to_gates
        size = h0.shape[1]
        coupled = gates.shape[2] == 3 * size
        _, peep = _peephole(to_f)
        before_cells = _states_before(c0, cells)
        dgates = torch.empty_like(gates)
        dh, dc, spare = torch.zeros_like(h0), torch.zeros_like(c0), torch.empty_like(h0)
        steps = zip(*_lstm_gates(gates, size), *_lstm_gates(dgates, size), before_cells, shown, dstates, strict=True)
        for _, before, i, f, g, o, dgate, dbefore, di, df, dg, do, c, tanh_cell, dstate in reversed(list(steps)):
            dh.add_(dstate)
            torch.mul(dh, tanh_cell, out=do)
            _sigmoid_backward(do, o, grad_input=do)
            dh.mul_(o)
            dc.add_(_tanh_backward(dh, tanh_cell, grad_input=spare))
            if to_o is not None:
                peep(dc, do, to_o)
            if coupled:
                torch.sub(c, g, out=df).mul_(dc)
                torch.addcmul(dc, dc, f, value=-1, out=dg)
            else:
                torch.mul(dc, g, out=di)
                torch.mul(dc, c, out=df)
                torch.mul(dc, i, out=dg)
            _sigmoid_backward(dbefore, before, grad_input=dbefore)
            _tanh_backward(dg, g, grad_input=dg)
            dc.mul_(f)
            if to_f is not None:
                peep(dc, df, to_f)
            if to_i is not None:
                peep(dc, di, to_i)
            torch.mm(dgate, weight_hh, out=dh)
        dweight = _weight_gradient(dgates, _states_before(h0, states))
        _, _, di, df, _, do = _lstm_gates(dgates, size)
        seen = (before_cells, before_cells, cells)
        dpeepholes = [_peephole_gradient(*of) for of in zip(to_gates, (di, df, do), seen, strict=True)]
        return dgates, dh, dc, dweight, *dpeepholes


def _peephole(weight: Tensor | None) -> tuple[bool, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """Whether a peephole is a matrix, and the function that adds (cell, weight) to a gate."""
    full = weight is not None and weight.dim() == 2
    return full, Tensor.addmm_ if full else Tensor.addcmul_


def _peephole_gradient(weight: Tensor | None, d_TNH: Tensor, cells_TNH: Tensor) -> Tensor | None:
    if weight is None:
        return None
    return _weight_gradient(d_TNH, cells_TNH) if weight.dim() == 2 else (d_TNH * cells_TNH).sum((0, 1))


class GruScan(Function):
    """A GRU that resets the state before it multiplies: n = tanh(pn + (r*h) W_n^T).

    Forward takes pgates (T, N, 3*H) in the order r, z, n, h0 (N, H) and weight_hh (3*H, H).
    Returns the states (T, N, H).
    """

    @staticmethod
    def forward(ctx: Any, pgates_TNG: Tensor, h0: Tensor, weight_hh: Tensor) -> Tensor:
        size = h0.shape[1]
        steps = len(pgates_TNG)
        gates = h0.new_empty(steps, len(h0), 2 * size)
        news, kept, states = (h0.new_empty(steps, *h0.shape) for _ in range(3))
        mix_gates, mix_new = weight_hh[: 2 * size].T, weight_hh[2 * size :].T
        inputs = (pgates_TNG[..., : 2 * size], pgates_TNG[..., 2 * size :])
        h = h0
        for pgate, pnew, gate, r, z, n, rh, state in zip(
            *inputs, gates, *gates.split(size, 2), news, kept, states, strict=True
        ):
            torch.addmm(pgate, h, mix_gates, out=gate).sigmoid_()
            torch.mul(r, h, out=rh)
            torch.addmm(pnew, rh, mix_new, out=n).tanh_()
            torch.lerp(n, h, z, out=state)
            h = state
        ctx.save_for_backward(gates, news, kept, states, h0, weight_hh)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dstates: Tensor) -> Any:  # type: ignore[override]
        gates, news, kept, states, h0, weight_hh = ctx.saved_tensors
        size = h0.shape[1]
        before = _states_before(h0, states)
        dgates = h0.new_empty(*gates.shape[:2], 3 * size)
        parts = (dgates[..., : 2 * size], *dgates.split(size, 2))
        per_step = zip(gates, *gates.split(size, 2), news, before, *parts, dstates, strict=True)
        mix_gates, mix_new = weight_hh[: 2 * size], weight_hh[2 * size :]
        dh, drh = torch.zeros_like(h0), torch.empty_like(h0)
        for gate, r, z, n, h, dgate, dr, dz, dn, dstate in reversed(list(per_step)):
            dh.add_(dstate)
            torch.sub(h, n, out=dz).mul_(dh)
            torch.addcmul(dh, dh, z, value=-1, out=dn)
            _tanh_backward(dn, n, grad_input=dn)
            torch.mm(dn, mix_new, out=drh)
            torch.mul(drh, h, out=dr)
            _sigmoid_backward(dgate, gate, grad_input=dgate)
            dh.mul_(z).addcmul_(drh, r)
            dh.addmm_(dgate, mix_gates)
        dweight = torch.cat(
            (_weight_gradient(dgates[..., : 2 * size], before), _weight_gradient(dgates[..., 2 * size :], kept))
        )
        return dgates, dh, dweight


class JordanScan(Function):
    """A network whose output is fed back: h = f(p + y_before W_hh^T), y = h W_hr^T + b.

    Forward takes p (T, N, H), y0 (N, K), weight_hh (H, K), weight_hr (K, H), b (K,) or None, and whether f is relu
    instead of tanh; returns the outputs (T, N, K).
    """

    @staticmethod
    def forward(
        ctx: Any, p_TNH: Tensor, y0: Tensor, weight_hh: Tensor, weight_hr: Tensor, bias: Tensor | None, relu: bool
    ) -> Tensor:
        hidden = torch.empty(p_TNH.shape, dtype=y0.dtype, device=y0.device)
        outputs = y0.new_empty(len(hidden), *y0.shape)
        feed, show = weight_hh.T, weight_hr.T
        squash = torch.relu_ if relu else torch.tanh_
        y = y0
        for p, h, output in zip(p_TNH, hidden, outputs, strict=True):
            squash(torch.addmm(p, y, feed, out=h))
            if bias is None:
                torch.mm(h, show, out=output)
            else:
                torch.addmm(bias, h, show, out=output)
            y = output
        ctx.save_for_backward(hidden, outputs, y0, weight_hh, weight_hr)
        ctx.relu, ctx.biased = relu, bias is not None
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, doutputs: Tensor) -> Any:  # type: ignore[override]
        hidden, outputs, y0, weight_hh, weight_hr = ctx.saved_tensors
        dhidden, dys = torch.empty_like(hidden), torch.empty_like(outputs)
        dy0 = torch.zeros_like(y0)
        per_step = zip(hidden, dhidden, dys, doutputs, strict=True)
        for h, dh, dy, doutput in reversed(list(per_step)):
            torch.add(dy0, doutput, out=dy)
            torch.mm(dy, weight_hr, out=dh)
            if ctx.relu:
                _relu_backward(dh, h, 0, grad_input=dh)
            else:
                _tanh_backward(dh, h, grad_input=dh)
            torch.mm(dh, weight_hh, out=dy0)
        dfeed = _weight_gradient(dhidden, _states_before(y0, outputs))
        dbias = dys.sum((0, 1)) if ctx.biased else None
        return dhidden, dy0, dfeed, _weight_gradient(dys, hidden), dbias, None
