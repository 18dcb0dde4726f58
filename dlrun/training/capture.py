"""A network's arithmetic as straight-line code that runs without Python: that of its steps, and of validation.

A step of a small network takes most of its time between the products: in Python, in the making of the graph for the
backward pass, in its walk. So one step is computed as ever while it is recorded, and the code is used from then on. It
is used only where it gave the same bits as the step that it was taken from: what cannot be recorded (a number that is
read back, a choice made in Python) leaves everything as it was.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import torch

from dlrun.data.prepare import Batch
from dlrun.modules.dropout import diverted
from dlrun.training.recording import Code, Recorder, Tensors

AFTER = 20
"""Calls of a size after which one is captured: it takes about their time, so that a short run loses none by it."""
TRIALS = 3
"""Runs in which code must give the same: from the second on, torch's static runtime has its memory laid out."""


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
        self.captured: dict[int, Code | None] = {}
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
    return sys.version_info < (3, 14) and hasattr(torch.jit, "CompilationUnit")


def capture(
    compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]
) -> tuple[Tensors, Code | None]:
    """Compute once, and capture how.

    Args:
        compute: gives the results of a step; what it draws comes from torch's generator on the processor.
        inputs: what it is called with.
        held: what it may use and change besides: weights and buffers.

    Returns:
        The results, and the code that gives them again; None where it cannot be captured.
    """
    before = _Moment(held)
    recorder = Recorder(inputs, held)
    try:
        with recorder, diverted(recorder.draw):
            results = compute(*inputs)
        codes = recorder.codes(results)
    except Exception:  # whatever it is, the step itself has done without
        before.put_back()
        return compute(*inputs), None
    after = _Moment(held)
    found = next((code for code in codes if _gives(code, inputs, results, before, after)), None)
    after.put_back()
    return results, found


def _gives(code: Code, inputs: Sequence[torch.Tensor], results: Tensors, before: _Moment, after: _Moment) -> bool:
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
