"""Rows on the device, as the network takes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

Tensors = list[torch.Tensor]
Some = slice | torch.Tensor
"""Some rows: a slice, or a tensor (n,) of their numbers."""
AS_THEY_ARE = (torch.float32, torch.int64, torch.float64)
WIDE_BYTES = 1 << 26
"""Bytes of whole numbers as int64 from which on they are kept as the smallest numbers that hold them."""


def narrowest(count: int, most: int | None) -> torch.dtype:
    """The type in which so many whole numbers are kept, from IGNORED to `most`, where that is known."""
    if 8 * count <= WIDE_BYTES or most is None:
        return torch.int64
    kinds = (torch.int8, torch.int16, torch.int32)
    return next((kind for kind in kinds if most <= torch.iinfo(kind).max), torch.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows on the device, all of a split or a few: the network's inputs, and the targets."""

    inputs: tuple[torch.Tensor, ...]
    """One for each input of the network: float32, or int64 where it takes indices; whole numbers of all rows of a split
    may be smaller."""
    targets: dict[str, torch.Tensor]
    """What the losses compare with."""
    exact: dict[str, torch.Tensor] = field(default_factory=dict)
    """What the metrics compare with, where `targets` are another thing: numbers as the data has them, float64, where
    those are rounded or scaled; the class of the largest share, where classes are mixed."""
    factors: tuple[torch.Tensor, ...] = ()
    """Of one of several batches of a step: see `Objective.of_one_step`."""

    def __len__(self) -> int:
        return len(self.inputs[0])

    def __getitem__(self, rows: Some) -> Batch:
        """Some of the rows."""
        return Batch(
            tuple(_some(x, rows) for x in self.inputs),
            {name: _some(y, rows) for name, y in self.targets.items()},
            {name: _some(y, rows) for name, y in self.exact.items()},
        )


def _some(tensor: torch.Tensor, rows: Some) -> torch.Tensor:
    """Some rows; whole numbers that are kept as smaller ones become int64."""
    found = _taken(tensor, rows)
    return found if found.dtype in AS_THEY_ARE else found.long()


def _taken(tensor: torch.Tensor, rows: Some) -> torch.Tensor:
    if isinstance(rows, slice):
        return tensor[rows]
    if tensor.dim() == 4 and tensor.stride(1) == 1:  # channels last: seen this way, each row lies in one piece
        return tensor.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
    return tensor.index_select(0, rows)  # a third of the time that tensor[rows] takes
