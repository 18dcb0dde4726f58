"""The rows of a split, as training and evaluation see them, wherever they are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch

from dlrun.components.sources import SourceError
from dlrun.data.batches import Batch, Some
from dlrun.errors import RunError
from dlrun.plan.split import Indices

BLOCK = 4096
"""Rows that are looked at together, where all are."""


class Rows(Protocol):
    """The rows of a split. Whoever trains or measures takes batches and does not know where the rows are."""

    fingerprint: str
    """SHA-256 over the data and the numbers of the rows: the same rows of the same data have the same one."""

    def __len__(self) -> int: ...

    @property
    def device(self) -> torch.device:
        """The device of the batches."""
        ...

    def batch(self, rows: Some) -> Batch:
        """Some of the rows, on the device: a slice of the split, or a tensor (n,) of numbers within the split.

        Raises:
            RunError: the rows cannot be read any more.
        """
        ...

    def with_inputs(self, inputs: Sequence[int | torch.Tensor]) -> Rows:
        """The same rows with other inputs, on the device: each is one of theirs, by its place, or a tensor (rows, ...)
        in the order of the rows."""
        ...


class InMemory:
    """Rows that are on the device: a batch is an index."""

    def __init__(self, rows: Batch, fingerprint: str):
        self.rows, self.fingerprint = rows, fingerprint

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def device(self) -> torch.device:
        return self.rows.inputs[0].device

    def batch(self, rows: Some) -> Batch:
        return self.rows[rows]

    def with_inputs(self, inputs: Sequence[int | torch.Tensor]) -> Rows:
        kept = self.rows
        found = tuple(kept.inputs[one] if isinstance(one, int) else one for one in inputs)
        return InMemory(Batch(found, kept.targets, kept.exact), self.fingerprint)


Reader = Callable[[Indices], torch.Tensor]
"""Reads rows of the source, by their numbers, as the network takes them."""


class OnDisk:
    """Rows of which some inputs stay in a file, and are read and preprocessed batch by batch."""

    def __init__(
        self,
        readers: Sequence[Reader | None],
        kept: Batch,
        numbers: Indices,
        device: torch.device,
        fingerprint: str,
    ):
        """Rows of a split.

        Args:
            readers: for each input what reads its rows; None for one that is kept on the device.
            kept: the other inputs, in order, and the targets, of all rows of the split.
            numbers: (rows,) the number of each row in the source.
            device: that of the batches.
            fingerprint: see `Rows`.
        """
        self.readers, self.kept, self.numbers = tuple(readers), kept, numbers
        self.device, self.fingerprint = device, fingerprint

    def __len__(self) -> int:
        return len(self.numbers)

    def batch(self, rows: Some) -> Batch:
        kept = self.kept[rows]
        numbers = self.numbers[rows if isinstance(rows, slice) else rows.cpu().numpy()]
        others = iter(kept.inputs)
        try:
            inputs = [next(others) if read is None else read(numbers).to(self.device) for read in self.readers]
        except SourceError as error:
            raise RunError(error.message) from None
        return Batch(tuple(inputs), kept.targets, kept.exact)

    def with_inputs(self, inputs: Sequence[int | torch.Tensor]) -> Rows:
        others = iter(self.kept.inputs)
        own = [next(others) if read is None else read for read in self.readers]
        found = [own[one] if isinstance(one, int) else one for one in inputs]
        kept = Batch(tuple(one for one in found if isinstance(one, torch.Tensor)), self.kept.targets, self.kept.exact)
        readers = [None if isinstance(one, torch.Tensor) else one for one in found]
        if not any(readers):
            return InMemory(kept, self.fingerprint)
        return OnDisk(readers, kept, self.numbers, self.device, self.fingerprint)


def blocks(rows: Rows) -> Iterator[Batch]:
    """All rows in order, a few thousand at a time."""
    for start in range(0, len(rows), BLOCK):
        yield rows.batch(slice(start, start + BLOCK))
