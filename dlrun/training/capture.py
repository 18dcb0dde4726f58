"""A small network's arithmetic as straight-line code that runs without Python: that of its steps, and of validation.

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
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dlrun.data.prepare import Batch
from dlrun.modules.dropout import Words, diverted, draw_words

Tensors = list[torch.Tensor]

AFTER = 20
"""Calls of a size after which one is captured: it takes about their time, so that a short run loses none by it."""


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
        given = self.node(tuple(args)), {name: self.node(value) for name, value in (kwargs or {}).items()}
        if isinstance(result, torch.Tensor):
            self.note(result, self.graph.call_function(_with_numbers(function, args), *given))
        elif isinstance(result, list | tuple):
            there = [place for place, part in enumerate(result) if isinstance(part, torch.Tensor)]
            node = self.graph.call_function(_giving(function, there), *given)
            for number, place in enumerate(there):
                self.note(result[place], self.graph.call_function(operator.getitem, (node, number)))
        elif result is None:
            self.graph.call_function(function, *given)
        else:
            raise NotCapturableError("a number that is read back")
        return result


# Set by hand, and not in the class: torch wraps a method of this name in one that imports its compiler, over a second.
_Recorder.__torch_dispatch__ = _Recorder.record  # type: ignore[method-assign]


def _with_numbers(function: Any, args: Sequence[Any]) -> Any:
    """The form of an operator that takes a number as one: as a tensor it would have a type of its own."""
    if function._overloadname == "Tensor" and any(isinstance(arg, int | float) for arg in args[1:2]):
        return getattr(function.overloadpacket, "Scalar", function)
    return function


def _giving(function: Any, there: Sequence[int]) -> Any:
    """An operator with several results, as one that gives those in some places alone.

    torch's tracer knows no operator that is told which of its results to leave out, as the backward passes of
    convolutions and norms are, nor a result that is left out. In a function of TorchScript it meets neither.
    """
    schema = function._schema
    if all(argument.N is None for argument in schema.arguments if str(argument.type) == "List[bool]"):
        return function
    parameters = ", ".join(f"{argument.name}: {argument.type.annotation_str}" for argument in schema.arguments)
    arguments = ", ".join(argument.name for argument in schema.arguments)
    call = f"torch.ops.{schema.name.replace('::', '.')}({arguments})"
    results = "".join(f"results[{place}], " for place in there)
    source = f"def giving({parameters}):\n    results = {call}\n    return ({results})\n"
    code = torch.jit.CompilationUnit(source).giving

    def giving(*given: Any) -> Any:  # with a name, which a graph wants
        return code(*given)

    return giving


class Captured:
    """The code, called with tensors like those that it was taken from."""

    def __init__(self, code: Any, extra: Sequence[torch.Tensor], draws: Sequence[int]):
        """`code` takes the inputs, random words in portions as large as `draws` says, and `extra`."""
        self.code, self.extra, self.words = code, tuple(extra), Words(draws)

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        with torch.no_grad():
            return list(self.code(*inputs, *self.words.draw(), *self.extra))


class Repeated:
    """A function of batches that is captured, for each size of batch, once it has been called often enough."""

    def __init__(self, compute: Callable[[Batch], Tensors], held: Callable[[], Tensors], may: bool):
        """
        Args:
            compute: the function; what it draws comes from torch's generator on the processor.
            held: gives all that it may use and change besides the batch.
            may: whether it is worth it.
        """
        self.compute, self.held = compute, held
        self.may = may and can_capture()
        self.seen: Counter[int] = Counter()
        """How many batches of each size have come."""
        self.captured: dict[int, Captured | None] = {}
        """The code for each size of batch; None where there can be none."""

    def __call__(self, batch: Batch) -> Tensors:
        """The same, to the bit, as `compute`."""
        if not self.may:
            return self.compute(batch)
        rows, given = len(batch), [*batch.inputs, *batch.targets.values()]
        if rows in self.captured:
            code = self.captured[rows]
            return self.compute(batch) if code is None else code(*given)
        self.seen[rows] += 1
        if self.seen[rows] <= AFTER:
            return self.compute(batch)
        results, self.captured[rows] = capture(self._of_tensors(batch), given, self.held())
        return results

    def _of_tensors(self, like: Batch) -> Callable[..., Tensors]:
        def of_tensors(*given: torch.Tensor) -> Tensors:
            inputs, targets = given[: len(like.inputs)], given[len(like.inputs) :]
            return self.compute(Batch(inputs, dict(zip(like.targets, targets, strict=True))))

        return of_tensors


def can_capture() -> bool:
    """Whether this Python and this torch have what it takes."""
    return sys.version_info < (3, 14) and hasattr(torch.jit, "trace")


def capture(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]
) -> tuple[Tensors, Captured | None]:
    """Compute once, and capture how.

    Args:
        compute: gives the results of a step; what it draws comes from torch's generator on the processor.
        inputs: what it is called with.
        held: what it may use and change besides: weights and buffers.

    Returns:
        The results, and the code that gives them again; None where it cannot be captured.
    """
    before = _Moment(held)
    recorder = _Recorder(inputs, held)
    try:
        with recorder, diverted(recorder.draw):
            results = compute(*inputs)
        captured = _compiled(recorder, inputs, results)
    except Exception:  # whatever it is, the step itself has done without
        before.put_back()
        return compute(*inputs), None
    after = _Moment(held)
    before.put_back()
    try:
        same = _equal(results, captured(*inputs)) and after.is_now()
    except RuntimeError:
        same = False
    after.put_back()
    return results, captured if same else None


def _compiled(recorder: _Recorder, inputs: Sequence[torch.Tensor], results: Tensors) -> Captured:
    recorder.graph.output(tuple(recorder.node(result) for result in results))
    recorder.graph.eliminate_dead_code()
    _order_placeholders(recorder)
    recorder.alive.clear()  # they are all that the step has computed
    words = [torch.zeros(count, dtype=torch.int16) for count in recorder.draws]
    before = _Moment(recorder.extra)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        code: Any = torch.jit.trace(
            fx.GraphModule(nn.Module(), recorder.graph), (*inputs, *words, *recorder.extra), check_trace=False
        )
    before.put_back()  # what turns code into TorchScript runs it
    return Captured(code.forward, recorder.extra, recorder.draws)  # around forward lie calls of Python for nothing


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


class _Moment:
    """What some tensors and torch's generator on the processor are at a moment."""

    def __init__(self, tensors: Sequence[torch.Tensor]):
        self.tensors, self.values = tensors, [tensor.detach().clone() for tensor in tensors]
        self.generator = torch.get_rng_state()

    def put_back(self) -> None:
        """Have all be as it was."""
        for tensor, value in zip(self.tensors, self.values, strict=True):
            tensor.detach().copy_(value)
        torch.set_rng_state(self.generator)

    def is_now(self) -> bool:
        """Whether all is as it was."""
        return _equal(self.tensors, self.values) and torch.equal(self.generator, torch.get_rng_state())


def _equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    return len(some) == len(others) and all(
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b) for a, b in zip(some, others, strict=True)
    )
