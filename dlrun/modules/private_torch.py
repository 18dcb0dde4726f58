"""The only module that uses private names of torch: it finds out which of them the installed torch has.

torch may rename or drop such a name in any release. Where torch has it, the name here is torch's own object, so that a
call costs nothing more. Where torch lacks it, public calls with the same bits take its place. Where there are none,
`NotAvailableError` or a flag says so, and the caller takes its slower path.

Each entry names the versions of torch that it was seen in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn


class NotAvailableError(RuntimeError):
    """The installed torch lacks a private name, and no public call does the same."""


def _find(path: str, otherwise: Any = None) -> Any:
    """The object that torch has by a dotted name, such as `_C._jit_to_static_module`."""
    try:
        return attrgetter(path)(torch)
    except AttributeError:
        return otherwise


# Optimizers


def _adam_by_public_calls(decoupled: bool) -> Callable[..., None]:
    """The functional form of torch's optimizer, which calls the same kernel, and first adds 1 to the steps itself."""

    def move(
        weights: list[Tensor],
        grads: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
        largest: list[Tensor],
        steps: list[Tensor],
        **settings: Any,
    ) -> None:
        if decoupled:
            from torch.optim.adamw import adamw as functional
        else:
            from torch.optim.adam import adam as functional
        steps_before = [step - 1 for step in steps]
        functional(weights, grads, means, squares, largest, steps_before, fused=True, **settings)

    return move


fused_adam: Callable[..., None] = _find("_fused_adam_", _adam_by_public_calls(decoupled=False))
"""Move all weights by Adam, in place; the steps are already counted.

Private name: torch._fused_adam_, seen in torch 2.11 and 2.13.
Fallback: torch.optim.adam.adam(fused=True), same bits.
"""

fused_adamw: Callable[..., None] = _find("_fused_adamw_", _adam_by_public_calls(decoupled=True))
"""Move all weights by AdamW, in place; the steps are already counted.

Private name: torch._fused_adamw_, seen in torch 2.11 and 2.13.
Fallback: torch.optim.adamw.adamw(fused=True), same bits.
"""


def _sgd_by_public_calls(
    weights: list[Tensor], grads: list[Tensor], momenta: list[Tensor], *, is_first_step: bool, **settings: Any
) -> None:
    """The functional form of torch's optimizer, which calls the same kernel, and makes the first momenta itself."""
    from torch.optim.sgd import sgd

    found: list[Tensor | None] = [None] * len(momenta) if is_first_step else [*momenta]
    sgd(weights, grads, found, fused=True, **settings)
    if is_first_step:
        for momentum, first in zip(momenta, found, strict=True):
            assert first is not None
            momentum.copy_(first)


fused_sgd: Callable[..., None] = _find("_fused_sgd_", _sgd_by_public_calls)
"""Move all weights by gradient descent, in place.

Private name: torch._fused_sgd_, seen in torch 2.11 and 2.13.
Fallback: torch.optim.sgd.sgd(fused=True), same bits.
"""


# One operator for each tensor of a list


def _by_a_loop(name: str) -> Callable[..., list[Tensor]]:
    """Call a tensor's method for each tensor; a list among the arguments gives one argument to each."""
    method = getattr(Tensor, name)

    def for_each(tensors: list[Tensor], *others: Any, **named: Any) -> list[Tensor]:
        return [
            method(tensor, *(other[place] if isinstance(other, list | tuple) else other for other in others), **named)
            for place, tensor in enumerate(tensors)
        ]

    return for_each


FOREACH_OPERATOR = "aten::_foreach_"
"""How the names of operators on lists of tensors begin in their schemas."""


def _foreach(name: str) -> Callable[..., Any]:
    """torch's operator on a list of tensors, by the name of the one on a tensor."""
    return _find(f"_foreach_{name}", _by_a_loop(name))


foreach_abs = _foreach("abs")
foreach_add, foreach_add_ = _foreach("add"), _foreach("add_")
foreach_addcdiv_ = _foreach("addcdiv_")
foreach_addcmul, foreach_addcmul_ = _foreach("addcmul"), _foreach("addcmul_")
foreach_clamp_min_ = _foreach("clamp_min_")
foreach_div, foreach_div_ = _foreach("div"), _foreach("div_")
foreach_lerp, foreach_lerp_ = _foreach("lerp"), _foreach("lerp_")
foreach_mul, foreach_mul_ = _foreach("mul"), _foreach("mul_")
foreach_reciprocal_ = _foreach("reciprocal_")
foreach_sign_ = _foreach("sign_")
foreach_sqrt, foreach_sqrt_ = _foreach("sqrt"), _foreach("sqrt_")
"""The method of a tensor that is named after `foreach_`, for each tensor of a list; in place where it ends in `_`.

Private names: torch._foreach_add and so on, seen in torch 2.11 and 2.13.
Fallback: a loop over the tensors; same bits on a processor.
"""


# Products


def _linear_by_public_calls(
    x: Tensor, weight: Tensor, bias: Tensor | None, activation: str, _scalars: list[float], _algorithm: str
) -> Tensor:
    """The same product of oneDNN's, of tensors laid out for it: it copies them, so it is slower."""
    laid_out = None if bias is None else bias.to_mkldnn()
    y = nn.functional.linear(x.to_mkldnn(), weight.to_mkldnn(), laid_out).to_dense()
    return y.relu_() if activation == "relu" else y


linear_of_onednn: Callable[..., Tensor] = _find("ops.mkldnn._linear_pointwise", _linear_by_public_calls)
"""x W^T + b of float32 on a processor, by oneDNN: (x, weight, bias, "none" or "relu", [], "").

Private name: torch.ops.mkldnn._linear_pointwise, seen in torch 2.13.
Fallback: torch.nn.functional.linear of tensors in oneDNN's layout, same bits. Both need torch.backends.mkldnn.
"""


# Recording a step


DispatchMode: Any = _find("utils._python_dispatch.TorchDispatchMode", object)
"""The base of a mode that sees every call of an operator.

Private name: torch.utils._python_dispatch.TorchDispatchMode, seen in torch 2.13.
Fallback: none, see `CAN_RECORD`.
"""

schema_of: Callable[[Any], Any] = attrgetter("_schema")
"""The name, arguments and results of an operator.

Private name: torch._ops.OpOverload._schema, seen in torch 2.13.
Fallback: none, see `CAN_RECORD`.
"""

CAN_RECORD = all(
    _find(path) is not None
    for path in ("utils._python_dispatch.TorchDispatchMode", "ops.aten.add.Tensor._schema", "jit.CompilationUnit")
)
"""Whether calls of operators can be seen, and code that makes them again can be run."""


def _never(_tensor: Tensor) -> bool:
    return False


is_view: Callable[[Tensor], bool] = _find("Tensor._is_view", _never)
"""Whether a tensor is a view of another, and so has no memory of its own.

Private name: torch.Tensor._is_view, seen in torch 2.13.
Fallback: no tensor is; the memory of views is then counted too.
"""

VIEW_EQUIVALENT: dict[Any, Any] = (
    {found: torch.ops.aten.view.default} if (found := _find("ops.aten._unsafe_view.default")) else {}
)
"""Operators whose result lies where their argument does and that do not say so, and the same that do.

Private name: torch.ops.aten._unsafe_view, seen in torch 2.13.
Fallback: none is needed; an operator that does not exist is not called.
"""


def run_torchscript(source: str, name: str) -> Any:
    """A function in TorchScript's source, run by TorchScript's interpreter.

    Undocumented name: torch.jit.CompilationUnit, seen in torch 2.13.
    Fallback: none, see `CAN_RECORD`.

    Raises:
        RuntimeError: it is no valid TorchScript.
    """
    return getattr(torch.jit.CompilationUnit(source), name)


_static_module: Any = _find("_C._jit_to_static_module")


def static_runtime(function: Any) -> Any:
    """A function of `run_torchscript`, run by torch's static runtime instead of the interpreter.

    Private name: torch._C._jit_to_static_module, seen in torch 2.13.
    Fallback: none; the interpreter gives the same bits.

    Raises:
        NotAvailableError: torch has no static runtime.
        RuntimeError: it cannot run this function.
    """
    if _static_module is None:
        raise NotAvailableError("this torch has no static runtime")
    return _static_module(function.graph)


# Modules


def _parameters_by_public_calls(module: nn.Module) -> dict[str, nn.Parameter]:
    return dict(module.named_parameters(recurse=False))


parameters_of: Callable[[nn.Module], Mapping[str, nn.Parameter | None]] = (
    attrgetter("_parameters") if hasattr(nn.Module(), "_parameters") else _parameters_by_public_calls
)
"""A module's own parameters by name, to be read only.

Private name: torch.nn.Module._parameters, seen in torch 2.13.
Fallback: torch.nn.Module.named_parameters, same tensors.
"""


class WithPlainTensors(nn.Module):
    """A module with tensors that move with it, though they are neither parameters nor buffers.

    Private name: torch.nn.Module._apply, which `to`, `float` and `cuda` call; seen in torch 2.11 and 2.13.
    Fallback: none; without it a module could not move what it does not register.
    """

    def move_plain_tensors(self, move: Callable[[Tensor], Tensor]) -> None:
        """Replace each plain tensor by what `move` gives for it."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        self.move_plain_tensors(fn)
        return super()._apply(fn, recurse)

    def collect_weights_again(self) -> None:
        """Have a recurrent module of torch's find anew the tensors that it gives to its kernel."""
        self._apply(lambda tensor: tensor)


# Exporting


def _states_of_any_length(
    x_NTF: Tensor,
    first: Any,
    _weights: Any,
    _bias: bool,
    _layers: int,
    _dropout: float,
    _train: bool,
    both: bool,
    *_: Any,
) -> tuple[Tensor, ...]:
    """The shapes of what a recurrent kernel returns."""
    firsts = tuple(first) if isinstance(first, list | tuple) else (first,)
    states = x_NTF.new_empty((*x_NTF.shape[:2], firsts[0].shape[2] * (2 if both else 1)))
    return states, *(state.clone() for state in firsts)


RECURRENT = ("lstm", "gru")
"""The recurrent kernels of torch that also other programs have as one operator."""


@contextlib.contextmanager
def recurrent_kernels_of_any_length() -> Iterator[None]:
    """Let an exported network keep a recurrent kernel as one operator, for sequences of any length.

    torch works out the shapes of its results by a loop over the steps, which fixes their number.

    Private names: torch._decomp.decomposition_table, and py_kernels and _dispatch_cache of torch.ops.aten.lstm.input,
    seen in torch 2.13.
    Fallback: the number of steps is fixed.
    """
    table = _find("_decomp.decomposition_table", {})
    kernels: list[Any] = [getattr(getattr(torch.ops.aten, name), "input", None) for name in RECURRENT]
    found = [one for one in kernels if one in table and hasattr(one, "py_kernels") and hasattr(one, "_dispatch_cache")]
    before = [(table[one], dict(one.py_kernels)) for one in found]
    try:
        for one, (loop, kept) in zip(found, before, strict=True):
            one.py_kernels.update({key: _states_of_any_length for key, value in kept.items() if value is loop})
            one._dispatch_cache.clear()
            table[one] = _states_of_any_length
        yield
    finally:
        for one, (loop, kept) in zip(found, before, strict=True):
            one.py_kernels.clear()
            one.py_kernels.update(kept)
            one._dispatch_cache.clear()
            table[one] = loop
