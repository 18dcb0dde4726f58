"""A computation on a GPU as a CUDA graph: told to the GPU once, and then played back in one call.

The processor tells a GPU of every kernel, which takes longer than a small one runs. Memory is laid out with the graph,
so it reads and writes the same places each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from dlrun.data.batches import Tensors

WARM_UP = 3
"""Runs before the one that is recorded: in the first, CUDA's libraries make room for themselves."""


class CudaGraph:
    """The computation, for inputs like those that it was recorded with."""

    def __init__(self, compute: Callable[..., Tensors], inputs: Sequence[torch.Tensor]):
        """`compute` is run a few times, and changes what it changes."""
        self.inputs = [tensor.clone() for tensor in inputs]
        self.play, self.results = record(compute, self.inputs)

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        self.play()
        return [result.clone() for result in self.results]  # the next call writes over them


def record(compute: Callable[..., Tensors], inputs: Tensors) -> tuple[Callable[[], None], Tensors]:
    """What plays a computation back, and where its results then are.

    Raises:
        RuntimeError: it does what a graph cannot, such as to wait for the GPU.
    """
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            compute(*inputs)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = compute(*inputs)
    return graph.replay, results
