"""The training rows as a step takes them: in float64, block by block, with no copy of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.frozen_map import FrozenMap
    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]

BLOCK_BYTES = 1 << 22
"""About the bytes of a block in float64; rows of two blocks or less are one block."""


class TrainingRows:
    """The training rows after the steps that are fitted already."""

    def __init__(
        self,
        values: Array | StoredArray,
        chosen: Array | None = None,
        steps: Sequence[FrozenMap] = (),
        columns: Sequence[int] | None = None,
    ):
        """Rows of the source.

        Args:
            values: rows (N, ...) as the source has them.
            chosen: the numbers of those for training; None means all.
            steps: the fitted modules of the steps before, in order.
            columns: the numbers of a row that are taken after them, by their places; None means all.
        """
        self.values, self.chosen, self.steps = values, chosen, tuple(steps)
        self.shape: Shape = values.shape[1:]
        """Of one row, after the steps."""
        self.columns = None if columns is None else list(columns)
        if self.steps or columns is not None:
            self.shape = self._made(0, 1).shape[1:]

    def __len__(self) -> int:
        return len(self.values) if self.chosen is None else len(self.chosen)

    @property
    def numbers(self) -> int:
        """How many numbers a row has."""
        return numel(self.shape)

    def after(self, module: FrozenMap) -> TrainingRows:
        """The rows after one more step."""
        return TrainingRows(self.values, self.chosen, (*self.steps, module))

    def of(self, columns: Sequence[int]) -> TrainingRows:
        """Some of the numbers of each row."""
        return TrainingRows(self.values, self.chosen, self.steps, columns)

    def first(self, count: int) -> TrainingRows:
        """The first rows."""
        chosen = slice(count) if self.chosen is None else self.chosen[:count]
        values, rest = (self.values[chosen], None) if isinstance(chosen, slice) else (self.values, chosen)
        return TrainingRows(values, rest, self.steps, self.columns)

    def blocks(self, least: int = 1) -> Iterator[Array]:
        """All rows in order, in blocks (n, numbers) of at least so many rows where there are as many."""
        rows = _at_a_time(len(self), max(self.numbers, numel(self.values.shape[1:])), least)
        for start in range(0, len(self), rows):
            stop = min(start + rows, len(self))
            yield self._made(start, stop).reshape(stop - start, -1)

    def table(self) -> Array:
        """All rows at once (N, numbers)."""
        return self._made(0, len(self)).reshape(len(self), -1)

    def rounding(self) -> Array:
        """The size of the rounding errors of each number (numbers,): of the type in which the source has the values,
        after the steps. Whole numbers have none."""
        import numpy as np
        import torch

        if self.values.dtype.kind != "f":
            return np.zeros(self.numbers)
        raw, squares = TrainingRows(self.values, self.chosen), 0.0
        for block in raw.blocks():
            rows = torch.from_numpy(block).reshape(-1, *raw.shape)
            sizes = rows.abs() * float(np.finfo(self.values.dtype).eps)
            for module in self.steps:
                rows, sizes = module.exact(rows), module.errors(rows, sizes)
            squares = squares + sizes.square().sum(0)
        found = np.sqrt(np.asarray(squares) / len(self)).flatten()
        return found if self.columns is None else found[self.columns]

    def _made(self, start: int, stop: int) -> Array:
        """Some rows (n, ...), float64."""
        import numpy as np
        import torch

        values = self.values[start:stop] if self.chosen is None else self.values[self.chosen[start:stop]]
        made = torch.from_numpy(values.astype(np.float64, copy=False))
        for module in self.steps:
            made = module.exact(made)
        return made.numpy() if self.columns is None else made.numpy()[:, self.columns]


def _at_a_time(rows: int, numbers: int, least: int = 1) -> int:
    """How many rows a block has."""
    block = max(BLOCK_BYTES // (8 * numbers), least)
    return block if rows > 2 * block else rows


def are_one_block(rows: int, numbers: int) -> bool:
    """Whether so many rows are one block."""
    return _at_a_time(rows, numbers) == rows


def block_bytes(rows: int, numbers: int, least: int = 1) -> int:
    """About the bytes that making and using one block takes: a few copies of it."""
    return 4 * 8 * numbers * _at_a_time(rows, numbers, least)
