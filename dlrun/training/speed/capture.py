"""Capture the computation of a network's steps, and of its validation, as code that runs without Python.

A step of a small network takes most of its time outside the products: in Python, in building the graph for the backward
pass and in walking it. So one step is computed as usual while it is recorded, and from then on the recorded code is
used: TorchScript on a processor (recording.py), a CUDA graph on a GPU (cuda_graphs.py).

The code is tested first, because a recording can miss something: a number that is read back, a choice made in Python,
an operator that a faster runtime computes otherwise. So all tensors and generators are saved before the recorded step
and after it. Each trial starts from the state before, and must give the step's results and the state after, bit for
bit. There are three trials, because the static runtime allocates as usual in its first run and reuses its memory from
the second on: only then does a wrong plan of memory show. Nothing may differ; code that fails is dropped, the next form
of it is tried, and without any the steps run as before. Either way the state after the one real step is put back, so
training is the same with and without capture.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import torch

from dlrun.data.batches import Batch, Tensors
from dlrun.modules.dropout import diverted
from dlrun.modules.private_torch import CAN_RECORD
from dlrun.training.speed.cuda_graphs import CudaGraph
from dlrun.training.speed.recording import Recorder

AFTER = 20
"""Calls with one size of batch before the next is captured: capturing takes about as long as they do."""
TRIALS = 3
"""Runs in which code must give the same bits as the step: see above."""
MOST_WEIGHTS = {"cpu": 1 << 22, "cuda": 1 << 27}
"""The largest number of weights of a network whose steps are captured, by device: in a larger one nearly all time goes
into the products."""

Captured = Callable[..., Tensors]
"""Captured code: computes the results for inputs with the shapes of the recorded ones."""


class Repeated:
    """A function of batches that is captured, for each size of batch, once it has been called often enough."""

    def __init__(self, compute: Callable[[Batch], Tensors], state: Callable[[], Tensors], enabled: bool):
        """
        Args:
            compute: the function; its random numbers come from torch's generators.
            state: returns the tensors that it may use and change, besides the batch.
            enabled: whether to capture at all.
        """
        self.compute, self.state, self.enabled = compute, state, enabled
        self.seen: Counter[int] = Counter()
        """The number of batches so far, by size."""
        self.captured: dict[int, Captured | None] = {}
        """The code for each size of batch; None if it cannot be captured."""

    def __call__(self, batch: Batch) -> Tensors:
        """The results of `compute`, bit for bit."""
        if not self.enabled:
            return self.compute(batch)
        rows, given = len(batch), [*batch.inputs, *batch.targets.values(), *batch.exact.values()]
        if rows in self.captured:
            code = self.captured[rows]
            return self.compute(batch) if code is None else code(*given)
        self.seen[rows] += 1
        if self.seen[rows] <= AFTER:
            return self.compute(batch)
        results, self.captured[rows] = capture(self._of_tensors(batch), given, self.state())
        return results

    def _of_tensors(self, like: Batch) -> Callable[..., Tensors]:
        def of_tensors(*given: torch.Tensor) -> Tensors:
            inputs, answers = given[: len(like.inputs)], given[len(like.inputs) :]
            targets, exact = answers[: len(like.targets)], answers[len(like.targets) :]
            return self.compute(
                Batch(
                    inputs,
                    dict(zip(like.targets, targets, strict=True)),
                    dict(zip(like.exact, exact, strict=True)),
                )
            )

        return of_tensors


def can_capture(device: str = "cpu", weights: int = 0) -> bool:
    """Whether capturing is possible, and faster, for a network with this many weights on a type of device."""
    if device == "cpu" and (sys.version_info >= (3, 14) or not CAN_RECORD):
        return False
    return weights <= MOST_WEIGHTS.get(device, -1)


def capture(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]
) -> tuple[Tensors, Captured | None]:
    """Compute once, and capture the computation.

    Args:
        compute: returns the results of a step; its random numbers come from torch's generators.
        inputs: its arguments, all on one device.
        held: the other tensors that it may use and change: weights and buffers.

    Returns:
        The results, and the code that computes them again; None if it cannot be captured.
    """
    device = inputs[0].device
    before = _SavedState(held, device)
    results, codes = (_record_code if device.type == "cpu" else _record_graph)(compute, inputs, held, before)
    after = _SavedState(held, device)
    working = None
    with contextlib.suppress(Exception):  # whatever fails here, the step itself has succeeded
        working = next((code for code in codes() if _reproduces(code, inputs, results, before, after)), None)
    after.restore()
    return results, working


def _record_code(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor], before: _SavedState
) -> tuple[Tensors, Callable[[], Sequence[Captured]]]:
    recorder = Recorder(inputs, held)
    try:
        with recorder, diverted(recorder.draw):
            results = compute(*inputs)
    except Exception:  # what failed may be the recording alone
        before.restore()
        return compute(*inputs), list
    return results, lambda: recorder.codes(results)


def _record_graph(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], _held: Sequence[torch.Tensor], _before: _SavedState
) -> tuple[Tensors, Callable[[], Sequence[Captured]]]:
    return compute(*inputs), lambda: [CudaGraph(compute, inputs)]


def _reproduces(
    code: Captured, inputs: Sequence[torch.Tensor], results: Tensors, before: _SavedState, after: _SavedState
) -> bool:
    """Whether code gives the same results and the same state afterwards."""
    for _ in range(TRIALS):
        before.restore()
        try:
            if not (_equal(results, code(*inputs)) and after.matches()):
                return False
        except RuntimeError:
            return False
    return True


class _SavedState:
    """A copy of some tensors and of the states of torch's generators."""

    def __init__(self, tensors: Sequence[torch.Tensor], device: torch.device):
        self.tensors, self.values = tensors, [_on_processor(tensor) for tensor in tensors]
        self.device, self.generators = device, _generators(device)

    def restore(self) -> None:
        """Set the tensors and generators to the saved values."""
        for tensor, value in zip(self.tensors, self.values, strict=True):
            tensor.detach().copy_(value)
        torch.set_rng_state(self.generators[0])
        for state in self.generators[1:]:
            torch.cuda.set_rng_state(state, self.device)

    def matches(self) -> bool:
        """Whether the tensors and generators have the saved values."""
        return _equal([_on_processor(tensor) for tensor in self.tensors], self.values) and _equal(
            self.generators, _generators(self.device)
        )


def _on_processor(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in the processor's memory, so that it takes none of a GPU."""
    return tensor.detach().to("cpu", copy=True)


def _generators(device: torch.device) -> Tensors:
    """The states of the processor's generator and, on a GPU, of the GPU's."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    return len(some) == len(others) and all(
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b) for a, b in zip(some, others, strict=True)
    )
