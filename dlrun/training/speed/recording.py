"""What a computation calls, written down as code that makes the same calls without Python.

Every call that reaches a kernel of torch's, those of the backward pass too, becomes a line of TorchScript. torch has
two machines that run such code: the interpreter of TorchScript itself, in a third of the time that Python and autograd
take, and its static runtime, in a quarter: that one lays out all that is between inputs and results in one piece of
memory, once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
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
"""What may be computed while it is recorded, when all of it stays: with more, Python's time is not what counts."""


class NotRecordableError(Exception):
    """Something in the computation is not a call to a kernel that can be made again."""


NAMED = ("alpha", "value")
"""Arguments that operators on tensors take by name alone, and those on lists of tensors do not."""

GIVES_ALL = {
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
"""Operators of several results that give them all, unless they are told not to."""


class Code:
    """The calls, with tensors like those that they were recorded with."""

    def __init__(self, run: Any, extra: Sequence[torch.Tensor], draws: Sequence[tuple[int, int]]):
        """`run` takes the inputs, random words as `draws` says, and `extra`."""
        self.run, self.extra, self.words = run, tuple(extra), RandomWords(draws)

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        return list(self.run(*inputs, *self.words.draw(), *self.extra))


def _machines(source: str, static: bool) -> list[Any]:
    function = run_torchscript(source, "computed")
    machines: list[Any] = [torch.no_grad()(function)]
    if static:
        with contextlib.suppress(RuntimeError):
            machines.insert(0, static_runtime(function))
    return machines


class Recorder(DispatchMode):
    """Notes every call that reaches a kernel."""

    def __init__(self, inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]):
        """`held` is what may be used besides the inputs."""
        super().__init__()
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.places: dict[Any, str] = {}
        """The name of what was last known to lie somewhere in memory."""
        self.alive: list[torch.Tensor] = []
        """Tensors are told apart by identity and place, so none may make room for another."""
        self.bytes = 0
        self.held = {id(tensor): tensor for tensor in held}
        self.inputs = [self._take(tensor) for tensor in inputs]
        self.words: list[str] = []
        self.draws: list[tuple[int, int]] = []
        self.extra: list[torch.Tensor] = []
        """Of `held`, those that were used."""
        self.extras: list[str] = []
        self.whole = True
        """Whether no operator leaves a result out: torch's static runtime ends the process where one does."""
        self.paused = False

    def draw(self, count: int, bits: int) -> torch.Tensor:
        """Random words: they are drawn outside of the code, which is given them."""
        self.paused = True
        words = draw_words(count, bits)
        self.paused = False
        self.draws.append((count, bits))
        self.words.append(self._take(words))
        return words

    def codes(self, results: Sequence[torch.Tensor]) -> list[Code]:
        """What was recorded, as far as it takes part in the results or changes something held: the faster code first.

        The static runtime does not know all that operators do, so what it gives is to be looked at.
        """
        found = "".join(f"{self._named(result)}, " for result in results)
        given = ", ".join(f"{name}: Tensor" for name in (*self.inputs, *self.words, *self.extras))
        lines = "".join(f"    {line}\n" for line in self.lines)
        source = f"def computed({given}):\n{lines}    return ({found})\n"
        self.alive.clear()  # they are all that was computed
        return [Code(run, self.extra, self.draws) for run in _machines(source, self.whole)]

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
            self._note(result, known or self._call(function, args, kwargs or {}))
        elif isinstance(result, list | tuple):
            name = self._call(function, args, kwargs or {})
            for index, part in enumerate(result):
                if isinstance(part, torch.Tensor):
                    self._note(part, self._assign(f"{name}[{index}]"))
                else:
                    self.whole = False
            self.whole &= schema_of(function).name in GIVES_ALL
        elif result is None:
            self._call(function, args, kwargs or {})
            self.whole &= not schema_of(function).returns
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
        """A call for a list of tensors as one for each: to TorchScript, nothing is written into what a list holds."""
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
                self._note(results[place], done)

    def _assign(self, expression: str) -> str:
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def _take(self, tensor: torch.Tensor) -> str:
        name = f"given{len(self.alive)}"
        self._note(tensor, name)
        return name

    def _note(self, tensor: torch.Tensor, name: str) -> None:
        self.names[id(tensor)] = self.places[_place(tensor)] = name
        self.alive.append(tensor)
        self.bytes += 0 if is_view(tensor) else tensor.nbytes
        if self.bytes > MOST_BYTES:
            raise NotRecordableError("more than is kept")

    def _named(self, tensor: torch.Tensor) -> str:
        name = self.names.get(id(tensor))
        if name is None:
            if id(tensor) not in self.held:
                raise NotRecordableError("a tensor from elsewhere")
            self.extra.append(tensor)
            self.extras.append(name := self._take(tensor))
        return name

    def _written(self, value: Any, kind: str) -> str:
        """A value as TorchScript writes it, where something of a kind is wanted."""
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


# Set by hand, and not in the class: torch wraps a method of this name in one that imports its compiler, over a second.
Recorder.__torch_dispatch__ = Recorder.record  # type: ignore[method-assign]


def _place(tensor: torch.Tensor) -> Any:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _check_memory(function: Any, args: Any, result: Any) -> None:
    """That a result lies where an argument does only if the operator says so: who runs code plans memory by that."""
    results = list(result) if isinstance(result, list | tuple) else [result]
    returned = schema_of(function).returns
    if len(returned) == len(results):
        results = [one for one, entry in zip(results, returned, strict=True) if entry.alias_info is None]
        taken = {_storage(arg) for arg in args if isinstance(arg, torch.Tensor)}
        if any(_storage(one) in taken for one in results if isinstance(one, torch.Tensor) and one.numel()):
            raise NotRecordableError("a view that does not say that it is one")


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _gives_view(function: Any) -> bool:
    """Whether an operator gives a tensor that lies where another does, and writes nothing."""
    returned = schema_of(function).returns[0].alias_info
    return returned is not None and not returned.is_write
