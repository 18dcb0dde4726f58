"""Shared by the steps: affine maps, and fitting without warnings of other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from dlrun.components.preprocess import FitError, FittedState, Map, TrainingRows
from dlrun.components.preprocess._rows import block_bytes
from dlrun.shapes import Shape, ShapeError, numel, show

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.affine import Projection, Scale

    Array = np.ndarray[Any, Any]

Per = Literal["number", "channel", "feature"]
"""Whether a step learns of each number of a row by itself, of all numbers of a channel together (the first axis), or of
all numbers of a feature (the last axis)."""

TOO_LARGE = "the numbers are too large or too small to compute with"


class Scaling(Map):
    """A step that shifts and scales each number of a row separately."""

    elementwise, one_way = True, ""

    def fitted(self, shape: Shape, output: Shape, rows: int) -> dict[str, Shape]:
        return {"offset": shape, "factor": shape}

    def build(self, state: FittedState) -> Scale:
        import torch

        from dlrun.modules.affine import Scale

        return Scale(torch.tensor(state["offset"]), torch.tensor(state["factor"]))

    def fit_bytes(self, rows: int, numbers: int) -> int:
        return block_bytes(rows, numbers)


class PerScaling(Scaling):
    """A step that shifts and scales, and learns either from each number of a row or from all of a channel."""

    if TYPE_CHECKING:  # each kind has this setting after its own
        per: Per

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        if self.per != "number" and len(shape) < 2:
            needed = "(channels, ...), as images" if self.per == "channel" else "(..., features), as sequences"
            message = f"`per: {self.per}` needs rows of {needed} are; received {show(shape)}"
            raise ShapeError(message, "remove `per`: each number is then scaled by itself")
        return shape, True

    def fitted(self, shape: Shape, output: Shape, rows: int) -> dict[str, Shape]:
        ones = (1,) * (len(shape) - 1)
        learned = {"number": shape, "channel": (*shape[:1], *ones), "feature": (*ones, *shape[-1:])}[self.per]
        return {"offset": learned, "factor": learned}

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        count = {"number": numel(shape), "channel": shape[0], "feature": shape[-1]}[self.per]
        return [f"{self.formula()} for each of {count} {self.per}s"]

    def formula(self) -> str:
        """What becomes of a number."""
        raise NotImplementedError

    def samples(self, rows: TrainingRows) -> Samples:
        """The numbers that it learns from."""
        return Samples(rows, self.per)

    def learned(self, rows: TrainingRows, offset: Array, factor: Array) -> FittedState:
        """What it learned, in the shape of a row.

        Raises:
            FitError: a number overflowed.
        """
        shape = self.fitted(rows.shape, rows.shape, len(rows))["offset"]
        return need_finite({"offset": offset.reshape(shape), "factor": factor.reshape(shape)})


class Samples:
    """The training rows as samples (numbers,): each row is one, or, by channels or features, each place of a row."""

    def __init__(self, rows: TrainingRows, per: Per = "number"):
        self.rows, self.per = rows, per
        self.numbers = {"number": rows.numbers, "channel": rows.shape[0], "feature": rows.shape[-1]}[per]

    def __len__(self) -> int:
        return len(self.rows) * (self.rows.numbers // self.numbers)

    def blocks(self) -> Iterator[Array]:
        """All samples in order, in blocks (n, numbers)."""
        for block in self.rows.blocks():
            if self.per == "channel":
                block = block.reshape(len(block), self.numbers, -1).transpose(0, 2, 1)
            yield block.reshape(-1, self.numbers)


class Projecting(Map):
    """A step that multiplies a flattened row by a matrix."""

    def fitted(self, shape: Shape, output: Shape, rows: int) -> dict[str, Shape]:
        return {"mean": (numel(shape),), "matrix": (output[0], numel(shape))}

    def build(self, state: FittedState) -> Projection:
        import torch

        from dlrun.modules.affine import Projection

        return Projection(torch.tensor(state["mean"]), torch.tensor(state["matrix"]))


@contextmanager
def fitting() -> Iterator[None]:
    """Turn errors into FitError and ignore warnings; every result is checked afterwards."""
    import numpy as np

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            yield
        except ValueError as error:  # numpy's LinAlgError is one
            raise FitError(f"the training rows cannot be decomposed: {error}") from None


def need_squares(rows: TrainingRows) -> None:
    """Require numbers whose squares fit into float64.

    Raises:
        FitError: they are too large or too small.
    """
    largest = max(max(float(block.max()), -float(block.min())) for block in rows.blocks())
    if not 1e-140 < largest < 1e140:
        raise FitError(TOO_LARGE, "put `minmax` first")


def add_rows(blocks: Iterable[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """The triangle R of the QR decomposition of all rows (numbers, numbers), or fewer rows where there are fewer."""
    import numpy as np

    triangle: Any = None
    for block in blocks:
        triangle = np.linalg.qr(block if triangle is None else np.concatenate([triangle, block]), mode="r")
    return triangle


def with_signs(directions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The directions with the signs that scikit-learn chooses: the largest number of each is positive."""
    import numpy as np

    largest = np.abs(directions).argmax(axis=1, keepdims=True)
    return directions * np.sign(np.take_along_axis(directions, largest, axis=1))


def of_rounding(directions: np.ndarray[Any, Any], rounding: np.ndarray[Any, Any], rows: int) -> np.ndarray[Any, Any]:
    """The largest singular value that rounding errors alone may have in each direction; see `TrainingRows.rounding`.

    Reference: Vershynin, High-dimensional probability, 2018, theorem 4.4.5: the norm of a matrix of errors.
    """
    import numpy as np

    size = np.sqrt(rows) + np.sqrt(directions.shape[1])
    return size * np.sqrt(np.square(directions) @ np.square(rounding))


def need_finite(state: FittedState) -> FittedState:
    """Return the state, if all of it is finite.

    Raises:
        FitError: a number overflowed.
    """
    import numpy as np

    if not all(np.isfinite(values).all() for values in state.values()):
        raise FitError(TOO_LARGE)
    return state
