"""A small network's step as straight-line code that runs without Python.

A step of a small network takes most of its time between the products: in Python, in the making of the graph for the
backward pass, in its walk. So one step is computed as ever while every call that reaches torch's kernels is noted, the
backward pass's too; what was noted is turned into TorchScript, whose interpreter makes the same calls, one after the
other, in a third of the time. It is used only where it gave the same bits as the step that it was taken from: what
cannot be noted (a number that is read back, a choice made in Python) leaves everything as it was.
"""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dlrun.modules.dropout import diverted, draw_words

Compute = Callable[..., list[torch.Tensor]]


class NotCapturableError(Exception):
    """Something in the step is not a call to a kernel that can be made again."""


class _Recorder(TorchDispatchMode):
    """Notes every call that reaches a kernel as a node of a graph."""

    def __init__(self, inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]):
        super().__init__()
        self.graph = fx.Graph()
        self.nodes: dict[int, Any] = {}
        self.alive: list[torch.Tensor] = []
        """Tensors are told apart by identity, so none may make room for another."""
        self.held = {id(tensor): tensor for tensor in held}
        self.extra: list[torch.Tensor] = []
        """Of `held`, those that were used."""
        self.draws: list[int] = []
        self.paused = False
        for tensor in inputs:
            self.take(tensor)

    def take(self, tensor: torch.Tensor) -> Any:
        """A tensor that the code is given."""
        node = self.graph.placeholder(f"value_{len(self.alive)}")
        self.note(tensor, node)
        return node

    def note(self, tensor: torch.Tensor, node: Any) -> None:
        self.nodes[id(tensor)] = node
        self.alive.append(tensor)

    def draw(self, count: int) -> torch.Tensor:
        """Random words: they are drawn outside of the code, which is given them."""
        self.paused = True
        words = draw_words(count)
        self.paused = False
        self.draws.append(count)
        self.note(words, self.graph.placeholder(f"words_{len(self.draws)}"))
        return words

    def node(self, value: Any) -> Any:
        """What stands for a value in the graph."""
        if isinstance(value, torch.Tensor):
            found = self.nodes.get(id(value))
            if found is not None:
                return found
            if id(value) not in self.held:
                raise NotCapturableError("a tensor from elsewhere")
            self.extra.append(value)
            return self.take(value)
        if isinstance(value, list | tuple):
            return type(value)(self.node(item) for item in value)
        return value

    def record(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if self.paused:
            return result
        if function is torch.ops.aten.detach.default:
            self.note(result, self.node(args[0]))
            return result
        node = self.graph.call_function(
            _with_numbers(function, args), self.node(tuple(args)), {k: self.node(v) for k, v in (kwargs or {}).items()}
        )
        if isinstance(result, torch.Tensor):
            self.note(result, node)
        elif isinstance(result, list | tuple):
            for place, part in enumerate(result):
                if isinstance(part, torch.Tensor):
                    self.note(part, self.graph.call_function(operator.getitem, (node, place)))
        elif result is not None:
            raise NotCapturableError("a number that is read back")
        return result


# Set by hand, and not in the class: torch wraps a method of this name in one that imports its compiler, over a second.
_Recorder.__torch_dispatch__ = _Recorder.record  # type: ignore[method-assign]


def _with_numbers(function: Any, args: Sequence[Any]) -> Any:
    """The form of an operator that takes a number as one: as a tensor it would have a type of its own."""
    if function._overloadname == "Tensor" and any(isinstance(arg, int | float) for arg in args[1:2]):
        return getattr(function.overloadpacket, "Scalar", function)
    return function


class Captured:
    """The code, called with tensors like those that it was taken from."""

    def __init__(self, code: Any, extra: Sequence[torch.Tensor], draws: Sequence[int]):
        self.code, self.extra, self.draws = code, tuple(extra), tuple(draws)

    def __call__(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        words = [draw_words(count) for count in self.draws]
        with torch.no_grad():
            return self.code(*inputs, *words, *self.extra)


def can_capture() -> bool:
    """Whether this Python and this torch have what it takes."""
    return sys.version_info < (3, 14) and hasattr(torch.jit, "trace")


def capture(
    compute: Compute, inputs: Sequence[torch.Tensor], network: nn.Module
) -> tuple[list[torch.Tensor], Captured | None]:
    """Compute once, and capture how.

    Args:
        compute: gives the results of a step; what it draws comes from torch's generator on the processor.
        inputs: what it is called with.
        network: what it may use and change besides: its weights and buffers.

    Returns:
        The results, and the code that gives them again; None where it cannot be captured.
    """
    held = [*network.parameters(), *network.buffers()]
    generator, before = torch.get_rng_state(), [buffer.clone() for buffer in network.buffers()]
    recorder = _Recorder(inputs, held)
    try:
        with recorder, diverted(recorder.draw):
            results = compute(*inputs)
        captured = _compiled(recorder, inputs, results)
    except (NotCapturableError, RuntimeError):
        _put_back(network, generator, before)
        return compute(*inputs), None
    generator_after, after = torch.get_rng_state(), [buffer.clone() for buffer in network.buffers()]
    _put_back(network, generator, before)
    try:
        again = captured(*inputs)
        same = _equal(results, again) and _equal(after, list(network.buffers()))
        same = same and torch.equal(generator_after, torch.get_rng_state())
    except RuntimeError:
        same = False
    _put_back(network, generator_after, after)
    return results, captured if same else None


def _compiled(recorder: _Recorder, inputs: Sequence[torch.Tensor], results: list[torch.Tensor]) -> Captured:
    recorder.graph.output(tuple(recorder.node(result) for result in results))
    recorder.graph.eliminate_dead_code()
    _order_placeholders(recorder)
    words = [torch.zeros(count, dtype=torch.int16) for count in recorder.draws]
    with warnings.catch_warnings(), torch.no_grad(), _unchanged(recorder.extra):
        warnings.simplefilter("ignore")
        code = torch.jit.trace(
            fx.GraphModule(nn.Module(), recorder.graph), (*inputs, *words, *recorder.extra), check_trace=False
        )
    return Captured(code, recorder.extra, recorder.draws)


def _order_placeholders(recorder: _Recorder) -> None:
    """Inputs first, then random words, then what is held: the order in which the code is called."""
    given = [node for node in recorder.graph.nodes if node.op == "placeholder"]
    words = [node for node in given if node.target.startswith("words_")]
    others = [node for node in given if node not in words]
    count = len(others) - len(recorder.extra)
    first = next(iter(recorder.graph.nodes))
    for node in [*others[:count], *words, *others[count:]]:
        if node is not first:
            first.append(node)
            first = node


@contextmanager
def _unchanged(tensors: Sequence[torch.Tensor]) -> Any:
    """Put tensors back as they were: what turns code into TorchScript runs it."""
    before = [tensor.detach().clone() for tensor in tensors]
    generator = torch.get_rng_state()
    yield
    torch.set_rng_state(generator)
    for tensor, value in zip(tensors, before, strict=True):
        tensor.detach().copy_(value)


def _put_back(network: nn.Module, generator: torch.Tensor, buffers: list[torch.Tensor]) -> None:
    torch.set_rng_state(generator)
    for buffer, value in zip(network.buffers(), buffers, strict=True):
        buffer.copy_(value)


def _equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    return len(some) == len(others) and all(
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b) for a, b in zip(some, others, strict=True)
    )
