"""A computation on a GPU as a CUDA graph: recorded once, and then replayed in one call.

Without a graph the processor launches every kernel on its own, which takes longer than a small kernel runs. A graph
has fixed memory: it reads and writes the same addresses each time, so inputs are copied in and results copied out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from dlrun.data.batches import Tensors

WARM_UP = 3
"""Runs before the one that is recorded: in the first, CUDA's libraries allocate their workspaces."""


class CudaGraph:
    """The computation, for inputs like those that it was recorded with."""

    def __init__(self, compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor]):
        """`compute` runs a few times, with its side effects."""
        self.inputs = [tensor.clone() for tensor in inputs]
        self.replay, self.results = record(compute, self.inputs)

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        self.replay()
        return [result.clone() for result in self.results]  # the next call overwrites them


def record(compute: Callable[..., Tensors], inputs: Tensors) -> tuple[Callable[[], None], Tensors]:
    """A function that replays a computation, and the tensors that then hold its results.

    Raises:
        RuntimeError: it does what a graph cannot do, such as waiting for the GPU.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            compute(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = compute(*inputs)
    return graph.replay, results
