"""The moving average of a network's weights, which is measured and kept in place of the weights themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from dlrun.components.averages import Average
from dlrun.data.batches import Batch, Tensors
from dlrun.modules.private_torch import foreach_lerp_
from dlrun.training.objective import Forward
from dlrun.training.step import TrainedWeights


class AveragedWeights:
    """The average of what training changes: the weights, and the moving statistics of norms."""

    def __init__(self, kind: Average, weights: Sequence[TrainedWeights], network: nn.Module):
        self.kind = kind
        self.norms: list[Any] = [one for one in network.modules() if one.training and _moves_statistics(one)]
        """The layers with moving statistics, without those that are frozen."""
        statistics = [buffer for module in self.norms for buffer in module.buffers(recurse=False)]
        self.counts = [buffer for buffer in statistics if not buffer.is_floating_point()]
        """How many batches the statistics are of."""
        self.live = [value for group in weights for value in group.values]
        self.live += [buffer for buffer in statistics if buffer.is_floating_point()]
        """The tensors that training changes."""
        self.values: Tensors = []
        """Their averages; empty before the first."""
        self.count = 0
        """How many moments are averaged."""

    @torch.no_grad()
    def add(self) -> None:
        """Add the weights as they are now."""
        if self.count:
            foreach_lerp_(self.values, self.live, self.kind.share(self.count))
        else:
            self.values = [tensor.clone() for tensor in self.live]
        self.count += 1

    @torch.no_grad()
    def recompute(self, forward: Forward, batches: Iterable[Batch]) -> None:
        """Compute the moving statistics anew with the averaged weights: the mean of those of some batches."""
        momenta = [norm.momentum for norm in self.norms]
        with self.in_place():
            for norm in self.norms:
                norm.reset_running_stats()
            for number, batch in enumerate(batches, 1):
                for norm in self.norms:
                    norm.momentum = 1 / number
                forward(*batch.inputs)
            self.values = [tensor.clone() for tensor in self.live]
        for norm, momentum in zip(self.norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def begin(self, averages: dict[str, torch.Tensor], count: int, network: nn.Module) -> None:
        """Continue from the averages of another, by the names of weights and buffers: see `measured_weights`."""
        own = measured_weights(network, None)
        network.load_state_dict(averages)
        self.values, self.count = [tensor.clone() for tensor in self.live], count
        network.load_state_dict(own)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the averages, and afterwards its own weights again; without an average it keeps these."""
        if not self.count:
            yield
            return
        changed = [*self.live, *self.counts]
        kept = [tensor.clone() for tensor in changed]
        _copy(self.live, self.values)
        try:
            yield
        finally:
            _copy(changed, kept)

    def load(self, values: Sequence[torch.Tensor], count: int) -> None:
        """Continue from the averages in a checkpoint."""
        # In the layout of the weights: files do not store the layout.
        self.values = [torch.empty_like(tensor, requires_grad=False) for tensor in self.live[: len(values)]]
        _copy(self.values, values)
        self.count = count


def measured_weights(network: nn.Module, average: AveragedWeights | None) -> dict[str, torch.Tensor]:
    """A copy of all weights and buffers as they are measured: averaged, where there is an average."""
    if average is None:
        return {name: value.clone() for name, value in network.state_dict().items()}
    with average.in_place():
        return measured_weights(network, None)


def _moves_statistics(module: nn.Module) -> bool:
    return getattr(module, "running_mean", None) is not None


@torch.no_grad()
def _copy(tensors: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)
