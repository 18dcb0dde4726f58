"""Shared by the steps: the two affine maps, and fitting without warnings of other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import FitError, FittedState, Map
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.affine import Projection, Scale

TOO_LARGE = "the numbers are too large or too small to compute with"


class Scaling(Map):
    """A step that shifts and scales each number of a row separately."""

    elementwise = True

    def fitted(self, shape: Shape, output: Shape) -> dict[str, Shape]:
        return {"offset": shape, "factor": shape}

    def build(self, state: FittedState) -> Scale:
        import torch

        from dlrun.modules.affine import Scale

        return Scale(torch.tensor(state["offset"]), torch.tensor(state["factor"]))


class Projecting(Map):
    """A step that multiplies a flattened row by a matrix."""

    def fitted(self, shape: Shape, output: Shape) -> dict[str, Shape]:
        return {"mean": (numel(shape),), "matrix": (output[0], numel(shape))}

    def build(self, state: FittedState) -> Projection:
        import torch

        from dlrun.modules.affine import Projection

        return Projection(torch.tensor(state["mean"]), torch.tensor(state["matrix"]))


def flat(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(N, ...) -> (N, numbers)."""
    return rows.reshape(len(rows), -1)


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


def largest(table: np.ndarray[Any, Any]) -> float:
    """The largest size of a number in a table."""
    return max(float(table.max()), -float(table.min()))


def need_squares(table: np.ndarray[Any, Any]) -> None:
    """Require numbers whose squares fit into float64.

    Raises:
        FitError: they are too large or too small.
    """
    if not 1e-140 < largest(table) < 1e140:
        raise FitError(TOO_LARGE, "put `minmax` first")


def need_finite(state: FittedState) -> FittedState:
    """Return the state, if all of it is finite.

    Raises:
        FitError: a number overflowed.
    """
    import numpy as np

    if not all(np.isfinite(values).all() for values in state.values()):
        raise FitError(TOO_LARGE)
    return state
