"""A network's arithmetic as straight-line code that runs without Python: that of its steps, and of validation.

A step of a small network takes most of its time between the products: in Python, in building the graph for the backward
pass, in walking it. So one step is computed as ever while it is recorded, and what was recorded is used from then on:
code on a processor (recording.py), a CUDA graph on a GPU (cuda_graphs.py). It is used only where it gave the same bits
as the step that it was taken from: what cannot be recorded (a number that is read back, a choice made in Python) leaves
everything as it was.
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
"""Calls of a size after which one is captured: it takes about their time, so that a short run loses none by it."""
TRIALS = 3
"""Runs in which code must give the same: from the second on, torch's static runtime has its memory laid out."""
MOST_WEIGHTS = {"cpu": 1 << 22, "cuda": 1 << 27}
"""Weights of a network whose steps are captured, by the device: in a larger one's, nearly all time is that of the
products."""

Captured = Callable[..., Tensors]
"""What was captured: gives the results for tensors like those that it was taken from."""


class Repeated:
    """A function of batches that is captured, for each size of batch, once it has been called often enough."""

    def __init__(self, compute: Callable[[Batch], Tensors], held: Callable[[], Tensors], may: bool):
        """
        Args:
            compute: the function; what it draws comes from torch's generators.
            held: gives all that it may use and change besides the batch.
            may: whether it is worth it.
        """
        self.compute, self.held, self.may = compute, held, may
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


def can_capture(device: str = "cpu", weights: int = 0) -> bool:
    """Whether it is possible, and worth it, for a network of so many weights on a type of device."""
    if device == "cpu" and (sys.version_info >= (3, 14) or not CAN_RECORD):
        return False
    return weights <= MOST_WEIGHTS.get(device, -1)


def capture(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]
) -> tuple[Tensors, Captured | None]:
    """Compute once, and capture how.

    Args:
        compute: gives the results of a step; what it draws comes from torch's generators.
        inputs: what it is called with, all on one device.
        held: what it may use and change besides: weights and buffers.

    Returns:
        The results, and the code that gives them again; None where it cannot be captured.
    """
    device = inputs[0].device
    before = _Moment(held, device)
    results, codes = (_record if device.type == "cpu" else _play)(compute, inputs, held, before)
    after = _Moment(held, device)
    found = None
    with contextlib.suppress(Exception):  # whatever it is, the step itself has done without
        found = next((code for code in codes() if _gives(code, inputs, results, before, after)), None)
    after.put_back()
    return results, found


def _record(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor], before: _Moment
) -> tuple[Tensors, Callable[[], Sequence[Captured]]]:
    recorder = Recorder(inputs, held)
    try:
        with recorder, diverted(recorder.draw):
            results = compute(*inputs)
    except Exception:  # as above
        before.put_back()
        return compute(*inputs), list
    return results, lambda: recorder.codes(results)


def _play(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], _held: Sequence[torch.Tensor], _before: _Moment
) -> tuple[Tensors, Callable[[], Sequence[Captured]]]:
    return compute(*inputs), lambda: [CudaGraph(compute, inputs)]


def _gives(code: Captured, inputs: Sequence[torch.Tensor], results: Tensors, before: _Moment, after: _Moment) -> bool:
    """Whether code gives the same, and leaves the same behind."""
    for _ in range(TRIALS):
        before.put_back()
        try:
            if not (_equal(results, code(*inputs)) and after.is_now()):
                return False
        except RuntimeError:
            return False
    return True


class _Moment:
    """What some tensors and torch's generators are at a moment."""

    def __init__(self, tensors: Sequence[torch.Tensor], device: torch.device):
        self.tensors, self.values = tensors, [_on_processor(tensor) for tensor in tensors]
        self.device, self.generators = device, _generators(device)

    def put_back(self) -> None:
        """Have all be as it was."""
        for tensor, value in zip(self.tensors, self.values, strict=True):
            tensor.detach().copy_(value)
        torch.set_rng_state(self.generators[0])
        for state in self.generators[1:]:
            torch.cuda.set_rng_state(state, self.device)

    def is_now(self) -> bool:
        """Whether all is as it was."""
        return _equal([_on_processor(tensor) for tensor in self.tensors], self.values) and _equal(
            self.generators, _generators(self.device)
        )


def _on_processor(tensor: torch.Tensor) -> torch.Tensor:
    """A copy that takes no room on a GPU."""
    return tensor.detach().to("cpu", copy=True)


def _generators(device: torch.device) -> Tensors:
    """The states of the processor's, and of the GPU's where it is one."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    return len(some) == len(others) and all(
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b) for a, b in zip(some, others, strict=True)
    )
