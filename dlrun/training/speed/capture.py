"""Capture the computation of a network's steps, and of its validation, as code that runs without Python.

A step of a small network takes most of its time outside the products: in Python, in building the graph for the backward
pass and in walking it. So one step is computed as usual while it is recorded, and from then on the recorded code is
used: TorchScript on a processor (recording.py), a CUDA graph on a GPU (cuda_graphs.py).

The code is tested first, because a recording can miss something: a number that is read back, a choice made in Python,
an operator that a runtime computes otherwise, random numbers that it draws in another order. So it is held against the
plain computation, never against the one that was recorded, which torch may compute by other operators. There are three
trials, with other rows and other random numbers each: code that is wrong may give the right bits for some, and a wrong
plan of memory shows only from the second run on, since the static runtime allocates as usual in its first. Nothing may
differ, neither in the results nor in any tensor or generator afterwards. Code that fails is dropped, the next form of
it is tried, and without any the steps run as before. Either way the state after the one real step is put back, so
training is the same with and without capture.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

import torch

from dlrun.data.batches import Batch, Tensors
from dlrun.modules.dropout import diverted
from dlrun.modules.private_torch import CAN_RECORD
from dlrun.training.speed.cuda_graphs import CudaGraph
from dlrun.training.speed.recording import Recorder

AFTER = 20
"""Calls with one size of batch before the next is captured: capturing takes about as long as they do."""
TRIALS = 3
"""Runs in which code must give the same bits as the plain computation: see above."""
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
        self.recent: dict[int, list[Tensors]] = {}
        """The last few batches of each size, the newest first."""
        self.captured: dict[int, Captured | None] = {}
        """The code for each size of batch; None if it cannot be captured."""

    def __call__(self, batch: Batch) -> Tensors:
        """The results of `compute`, bit for bit."""
        if not self.enabled:
            return self.compute(batch)
        rows, given = len(batch), [*batch.inputs, *batch.targets.values(), *batch.exact.values(), *batch.factors]
        if rows in self.captured:
            code = self.captured[rows]
            return self.compute(batch) if code is None else code(*given)
        self.seen[rows] += 1
        if self.seen[rows] <= AFTER:
            self.recent[rows] = [given, *self.recent.get(rows, ())][: TRIALS - 1]
            return self.compute(batch)
        recent = self.recent.pop(rows, [])
        results, self.captured[rows] = capture(self._of_tensors(batch), given, self.state(), recent)
        return results

    def _of_tensors(self, like: Batch) -> Callable[..., Tensors]:
        def of_tensors(*given: torch.Tensor) -> Tensors:
            left = iter(given)
            inputs = tuple(islice(left, len(like.inputs)))
            targets, exact = dict(zip(like.targets, left, strict=False)), dict(zip(like.exact, left, strict=False))
            return self.compute(Batch(inputs, targets, exact, tuple(left)))

        return of_tensors


def can_capture(device: str = "cpu", weights: int = 0) -> bool:
    """Whether capturing is possible, and faster, for a network with this many weights on a type of device."""
    if device == "cpu" and (sys.version_info >= (3, 14) or not CAN_RECORD):
        return False
    return weights <= MOST_WEIGHTS.get(device, -1)


def capture(
    compute: Callable[..., Tensors],
    inputs: Sequence[torch.Tensor],
    held: Sequence[torch.Tensor],
    others: Sequence[Sequence[torch.Tensor]] = (),
) -> tuple[Tensors, Captured | None]:
    """Compute once, and capture the computation.

    Args:
        compute: returns the results of a step; its random numbers come from torch's generators.
        inputs: its arguments, all on one device.
        held: the other tensors that it may use and change: weights and buffers.
        others: other arguments of the same shapes, to try the code with.

    Returns:
        The results, and the code that computes them again; None if it cannot be captured.
    """
    device = inputs[0].device
    before = SavedState(held, device)
    results = compute(*inputs)
    after = SavedState(held, device)
    working = None
    with contextlib.suppress(Exception):  # whatever fails here, the step itself has succeeded
        before.restore()
        codes = (_record_code if device.type == "cpu" else _record_graph)(compute, inputs, held)
        samples = [inputs, *others]
        trials = [samples[number % len(samples)] for number in range(TRIALS)]
        working = next((code for code in codes if _reproduces(code, compute, trials, before)), None)
    after.restore()
    return results, working


def _record_code(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]
) -> Sequence[Captured]:
    recorder = Recorder(inputs, held)
    with recorder, diverted(recorder.draw):
        results = compute(*inputs)
    return recorder.codes(results)


def _record_graph(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], _held: Sequence[torch.Tensor]
) -> Sequence[Captured]:
    return [CudaGraph(compute, inputs)]


def _reproduces(
    code: Captured,
    compute: Callable[..., Tensors],
    trials: Sequence[Sequence[torch.Tensor]],
    before: SavedState,
) -> bool:
    """Whether code gives, for each trial's inputs, the results of `compute` and the same state afterwards."""
    for number, inputs in enumerate(trials):
        before.restore(number)
        results = compute(*inputs)
        after = SavedState(before.tensors, before.device)
        before.restore(number)
        try:
            if not (_equal(results, code(*inputs)) and after.matches()):
                return False
        except RuntimeError:
            return False
    return True


class SavedState:
    """A copy of some tensors and of the states of torch's generators."""

    def __init__(self, tensors: Sequence[torch.Tensor], device: torch.device):
        self.tensors, self.values = tensors, [_on_processor(tensor) for tensor in tensors]
        self.device, self.generators = device, _generators(device)

    def restore(self, seed: int = 0) -> None:
        """Set the tensors to the saved values, and the generators too, or to others by a seed above 0."""
        for tensor, value in zip(self.tensors, self.values, strict=True):
            tensor.detach().copy_(value)
        if seed:
            torch.manual_seed(seed)
            return
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
