"""Record the calls of a computation as TorchScript code, which makes the same calls without Python.

Every call that reaches one of torch's kernels, in the backward pass too, becomes a line such as
`v7 = torch.ops.aten.mm(v3, v6)`. A dispatch mode sees the calls and their tensors, but not which call a tensor came
from; hence two tables:

- `names`, by the identity of the Python object: the variable that holds a tensor.
- `places`, by address, shape, strides and type: autograd often makes a new object for a tensor that has a name already.
  If an operator returns a view in exactly the place of a named tensor, that name is used, and no line is needed.

Identities and addresses are unique only among living objects: Python and torch reuse those of a freed tensor. So every
tensor is kept in `alive` until the recording ends. A tensor that is neither a result of an earlier call, nor an input,
nor one of the declared weights and buffers would become a constant of this one step, so it ends the recording.

torch has two runtimes for such code: the interpreter of TorchScript takes a third of the time of Python and autograd,
the static runtime a quarter, since it lays out all intermediate results in one piece of memory, once. The interpreter
would first rewrite the code, such as a product with a bias as a product and a sum, which rounds otherwise: that is
turned off.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from dlrun.data.batches import Tensors
from dlrun.modules.dropout import RandomWords, draw_words
from dlrun.modules.private_torch import (
    FOREACH_OPERATOR,
    VIEW_EQUIVALENT,
    DispatchMode,
    is_view,
    run_torchscript,
    schema_of,
    static_runtime,
)

MOST_BYTES = 1 << 28
"""The most that a recording may hold, since all tensors stay alive; above it Python's time does not matter."""


class NotRecordableError(Exception):
    """The computation does something that code cannot repeat."""


NAMED = ("alpha", "value")
"""Arguments that are keyword-only in operators on tensors, but not in those on lists of tensors."""

RETURNS_ALL = {
    f"aten::{name}"
    for name in (
        "_prelu_kernel_backward",
        "adaptive_max_pool2d",
        "adaptive_max_pool3d",
        "convolution_backward",
        "log_sigmoid_forward",
        "max",
        "max_pool2d_with_indices",
        "max_pool3d_with_indices",
        "min",
        "native_batch_norm",
        "native_batch_norm_backward",
        "native_group_norm",
        "native_group_norm_backward",
        "native_layer_norm",
        "native_layer_norm_backward",
        "nll_loss2d_forward",
        "nll_loss_forward",
        "sort",
        "split",
        "topk",
        "unbind",
        "var_mean",
    )
}
"""Operators with several results that return all of them, unless an argument turns one off."""


class Code:
    """Recorded code, to be called with inputs of the recorded shapes."""

    def __init__(self, run: Any, extra: Sequence[torch.Tensor], draws: Sequence[tuple[int, int]]):
        """`run` takes the inputs, random words as `draws` says, and `extra`."""
        self.run, self.extra, self.words = run, tuple(extra), RandomWords(draws)

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        return list(self.run(*inputs, *self.words.draw(), *self.extra))


def _as_written(function: Any) -> Callable[..., Any]:
    def run(*given: torch.Tensor) -> Any:
        with torch.no_grad(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            return function(*given)

    return run


def _runtimes(source: str, static: bool) -> list[Any]:
    function = run_torchscript(source, "computed")
    runtimes: list[Any] = [_as_written(function)]
    if static:
        with contextlib.suppress(RuntimeError):
            runtimes.insert(0, static_runtime(function))
    return runtimes


class Recorder(DispatchMode):
    """Records every call that reaches a kernel."""

    def __init__(self, inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]):
        """`held` are the tensors that may be used besides the inputs: weights and buffers."""
        super().__init__()
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.places: dict[Any, str] = {}
        """The name of the last tensor at each place in memory."""
        self.alive: list[torch.Tensor] = []
        """All tensors so far, so that no identity and no address is used again."""
        self.bytes = 0
        self.held = {id(tensor): tensor for tensor in held}
        self.inputs = [self._add_argument(tensor) for tensor in inputs]
        self.words: list[str] = []
        self.draws: list[tuple[int, int]] = []
        self.extra: list[torch.Tensor] = []
        """The tensors of `held` that were used."""
        self.extras: list[str] = []
        self.returns_all = True
        """Whether every operator returns all its results: if not, torch's static runtime crashes the process."""
        self.paused = False

    def draw(self, count: int, bits: int) -> torch.Tensor:
        """Random words: they are drawn outside the code and passed to it."""
        self.paused = True
        words = draw_words(count, bits)
        self.paused = False
        self.draws.append((count, bits))
        self.words.append(self._add_argument(words))
        return words

    def codes(self, results: Sequence[torch.Tensor]) -> list[Code]:
        """The recorded code for each runtime, the faster one first.

        The static runtime relies on what operators declare, so its results have to be checked.
        """
        returned = "".join(f"{self._named(result)}, " for result in results)
        given = ", ".join(f"{name}: Tensor" for name in (*self.inputs, *self.words, *self.extras))
        lines = "".join(f"    {line}\n" for line in self.lines)
        source = f"def computed({given}):\n{lines}    return ({returned})\n"
        self.alive.clear()  # frees everything that was computed
        return [Code(run, self.extra, self.draws) for run in _runtimes(source, self.returns_all)]

    def record(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        function = VIEW_EQUIVALENT.get(function, function)
        result = function(*args, **(kwargs or {}))
        if self.paused:
            return result
        _check_memory(function, args, result)
        if schema_of(function).name.startswith(FOREACH_OPERATOR):
            self._call_for_each(function, args, kwargs or {}, result)
        elif isinstance(result, torch.Tensor):
            known = self.places.get(_place(result)) if _gives_view(function) else None
            self._register(result, known or self._call(function, args, kwargs or {}))
        elif isinstance(result, list | tuple):
            name = self._call(function, args, kwargs or {})
            for index, part in enumerate(result):
                if isinstance(part, torch.Tensor):
                    self._register(part, self._assign(f"{name}[{index}]"))
                else:
                    self.returns_all = False
            self.returns_all &= schema_of(function).name in RETURNS_ALL
        elif result is None:
            self._call(function, args, kwargs or {})
            self.returns_all &= not schema_of(function).returns
        else:
            raise NotRecordableError("a number that is read back")
        return result

    def _call(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        schema = schema_of(function)
        types = {argument.name: argument.type.annotation_str for argument in schema.arguments}
        positional = [self._written(value, kind) for value, kind in zip(args, types.values(), strict=False)]
        named = [f"{name}={self._written(value, types[name])}" for name, value in kwargs.items()]
        return self._assign(f"torch.ops.{schema.name.replace('::', '.')}({', '.join(positional + named)})")

    def _call_for_each(
        self, function: Any, args: Sequence[Any], kwargs: dict[str, Any], results: Sequence[Any] | None
    ) -> None:
        """A call for a list of tensors as one call for each: TorchScript misses writes into the tensors of a list."""
        name = schema_of(function).name.removeprefix(FOREACH_OPERATOR)
        given = dict(zip([argument.name for argument in schema_of(function).arguments], args, strict=False)) | kwargs
        for place in range(len(args[0])):
            written = [
                f"{'' if key not in NAMED else f'{key}='}"
                + self._written(value[place] if isinstance(value, list | tuple) else value, "")
                for key, value in given.items()
            ]
            done = self._assign(f"torch.ops.aten.{name}({', '.join(written)})")
            if results is not None:
                self._register(results[place], done)

    def _assign(self, expression: str) -> str:
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def _add_argument(self, tensor: torch.Tensor) -> str:
        name = f"given{len(self.alive)}"
        self._register(tensor, name)
        return name

    def _register(self, tensor: torch.Tensor, name: str) -> None:
        self.names[id(tensor)] = self.places[_place(tensor)] = name
        self.alive.append(tensor)
        self.bytes += 0 if is_view(tensor) else tensor.nbytes
        if self.bytes > MOST_BYTES:
            raise NotRecordableError("more memory than a recording may hold")

    def _named(self, tensor: torch.Tensor) -> str:
        name = self.names.get(id(tensor))
        if name is None:
            if id(tensor) not in self.held:
                raise NotRecordableError("a tensor from elsewhere")
            self.extra.append(tensor)
            self.extras.append(name := self._add_argument(tensor))
        return name

    def _written(self, value: Any, kind: str) -> str:
        """A value in TorchScript, for an argument whose type is `kind`."""
        match value:
            case torch.Tensor():
                return self._named(value)
            case [] | ():
                return f"torch.jit.annotate({kind.replace('SymInt', 'int')}, [])"
            case list() | tuple():
                return f"[{', '.join(self._written(item, kind) for item in value)}]"
            case torch.device():
                return f'torch.device("{value}")'
            case float() if not math.isfinite(value):
                return f'float("{value}")'
            case int() if "float" in kind:
                return repr(float(value))
            case None | bool() | int() | float() | str():
                return repr(value)
            case torch.dtype() | torch.layout() | torch.memory_format():
                return str(value)
        raise NotRecordableError(f"a {type(value).__name__}")


# Set by hand, and not in the class: torch wraps a method of this name in one that imports its compiler: over a second.
Recorder.__torch_dispatch__ = Recorder.record  # type: ignore[method-assign]


def _place(tensor: torch.Tensor) -> Any:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _check_memory(function: Any, args: Any, result: Any) -> None:
    """Check that a result shares memory with an argument only if the operator declares it: runtimes rely on it."""
    results = list(result) if isinstance(result, list | tuple) else [result]
    returned = schema_of(function).returns
    if len(returned) == len(results):
        results = [one for one, entry in zip(results, returned, strict=True) if entry.alias_info is None]
        taken = {_storage(arg) for arg in args if isinstance(arg, torch.Tensor)}
        if any(_storage(one) in taken for one in results if isinstance(one, torch.Tensor) and one.numel()):
            raise NotRecordableError("an undeclared view")


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _gives_view(function: Any) -> bool:
    """Whether an operator returns a view and writes nothing."""
    returned = schema_of(function).returns[0].alias_info
    return returned is not None and not returned.is_write
