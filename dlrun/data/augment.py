"""Augment training batches, row by row."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dlrun.components.augment import Augmentation
from dlrun.data.batches import Batch
from dlrun.modules.random_streams import RandomStream, nth, streams


class Augmenter:
    """The steps of `data.augment`, in order.

    An augmented row depends on the seed, the epoch, the row's number and the steps alone: not on its batch, nor on what
    was drawn before. So there is no state to save, and nothing to repeat when a run resumes.
    """

    def __init__(self, steps: Sequence[Augmentation], seed: int):
        self.steps, self.seed = tuple(steps), seed

    def __call__(self, x: Tensor, epoch: int, rows: Tensor) -> Tensor:
        """The batch augmented, on its device.

        Args:
            x: (N, ...), preprocessed; it is not changed.
            epoch: from 0 on.
            rows: (N,) int64, each row's number among the training rows, on the same device.
        """
        if not self.steps:
            return x
        begin = streams(self.seed, epoch, rows)
        for part, step in enumerate(self.steps):
            x = step.apply(x, RandomStream(begin, part))
        return x


class Augmenters:
    """The steps of each input of a network."""

    def __init__(self, steps: Sequence[Augmentation], inputs: Sequence[str], seed: int):
        """`inputs` are the names of the network's inputs, in order."""
        chains = [[step for step in steps if step.input in (None, name)] for name in inputs]
        seeds = [seed, *(nth(seed, place) >> 1 for place in range(1, len(inputs)))]
        self.chains = tuple(map(Augmenter, chains, seeds)) if steps else ()

    def __call__(self, batch: Batch, epoch: int, rows: Tensor) -> Batch:
        """The batch with its inputs augmented; see `Augmenter`."""
        if not self.chains:
            return batch
        inputs = (chain(x, epoch, rows) for chain, x in zip(self.chains, batch.inputs, strict=True))
        return Batch(tuple(inputs), batch.targets, batch.exact)
