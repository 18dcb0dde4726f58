from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.preprocess import FitError, FittedState, TrainingRows
from dlrun.components.preprocess._affine import Projecting, fitting, need_finite
from dlrun.components.preprocess._directions import decomposed, decomposition_bytes
from dlrun.language.component import checked
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, ShapeError, numel

if TYPE_CHECKING:
    import numpy as np


def _read_components(value: Any) -> int | float:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise ValueError(
        "'n_components' is a whole number from 1 on, or a share of the variance between 0 and 1; "
        f"received {shorten(value)}"
    )


class Pca(Projecting):
    """Project each row on the directions in which the training rows vary most.

    The sign of a direction is arbitrary; scikit-learn's choice is used.

    Shape: (...) of d numbers -> (n_components,). y = (x - mean) V^T, V the directions; `whiten` divides
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 12.1.
    Example: pca: 10
    """

    synonyms = ("principal_component_analysis",)

    n_components: Annotated[
        int | float,
        PlainValidator(checked(_read_components)),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                ]
            }
        ),
    ]
    """Number of directions to keep; or a share, such as 0.95: as many as keep more than that share of the variance."""
    whiten: bool = False
    """Scale each direction to variance 1 over the training rows."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        numbers = numel(shape)
        most = min(rows - 1, numbers)
        if rows < 2:
            raise ShapeError(f"needs at least 2 training rows; there are {rows}")
        if not isinstance(self.n_components, int):
            return (most,), False
        if self.n_components > most:
            few_rows = f"{rows} training rows, minus one for their mean,"
            why = few_rows if most < numbers else f"{numbers} numbers in a row"
            raise ShapeError(f"n_components is {self.n_components}, but {why} allow at most {most}")
        return (self.n_components,), True

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        if isinstance(self.n_components, int):
            return [f"out = {output[0]} of {numel(shape)} numbers"]
        share = f"as many as keep {self.n_components:g} of the variance"
        return [f"out = at most {output[0]} of {numel(shape)} numbers, {share}"]

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        with fitting():
            mean, variance, directions, real = decomposed(rows)
            if isinstance(self.n_components, int):
                wanted = self.n_components
                chosen = np.flatnonzero(real)[:wanted]
            else:
                share = np.cumsum(variance / variance.sum())
                wanted = int(np.searchsorted(share, self.n_components, side="right")) + 1
                chosen = np.flatnonzero(real[:wanted])
            rank = len(chosen)
            if rank == 0 or (rank < wanted and isinstance(self.n_components, int)):
                message = f"{wanted} directions are wanted, but the training rows vary in only {rank}"
                raise FitError(message, f"write `pca: {rank}` or less" if rank else "")
            matrix = directions[chosen]
            if self.whiten:
                matrix = matrix / np.sqrt(variance[chosen, np.newaxis])
        return need_finite({"mean": mean, "matrix": matrix})

    def fit_bytes(self, rows: int, numbers: int) -> int:
        return decomposition_bytes(rows, numbers)

    def settled(self, state: FittedState) -> Self:
        return self.model_copy(update={"n_components": len(state["matrix"])})
