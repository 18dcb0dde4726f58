from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import FittedState, Map, TrainingRows
from dlrun.components.preprocess._affine import fitting, need_finite
from dlrun.components.preprocess._directions import decomposed, decomposition_bytes
from dlrun.language.fields import NonNegative
from dlrun.shapes import Shape, ShapeError, numel

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.affine import Projection


class Zca(Map):
    """Make the numbers of a row uncorrelated, each with variance 1 over the training rows, and change them as little
    as possible: an image stays an image.

    A direction in which the training rows do not vary becomes 0. The covariance is that with N - 1, as in `pca`.

    Shape: same as the input. y = V^T diag(1 / sqrt(variance + epsilon)) V (x - mean), V the directions of `pca`
    Reference: Bell and Sejnowski, The "independent components" of natural scenes are edge filters, 1997;
        Krizhevsky, Learning multiple layers of features from tiny images, 2009, appendix A.
    Example: zca: 1e-2
    """

    synonyms = ("zca_whitening", "whitening")

    epsilon: NonNegative = 1e-6
    """Added to the variance in each direction, in squared units of the data: a larger number amplifies the directions
    of little variance less."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        if rows < 2:
            raise ShapeError(f"needs at least 2 training rows; there are {rows}")
        return shape, True

    def fitted(self, shape: Shape, output: Shape, rows: int) -> dict[str, Shape]:
        return {"mean": shape, "matrix": (numel(shape), numel(shape))}

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        return [f"{numel(shape)} numbers without correlation, as near as can be to x - mean"]

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        with fitting():
            mean, variance, directions, real = decomposed(rows)
            chosen = np.flatnonzero(real)
            scaled = directions[chosen] / np.sqrt(variance[chosen, np.newaxis] + self.epsilon)
            matrix = directions[chosen].T @ scaled
        return need_finite({"mean": mean.reshape(rows.shape), "matrix": matrix})

    def fit_bytes(self, rows: int, numbers: int) -> int:
        return decomposition_bytes(rows, numbers) + 8 * 3 * numbers**2

    def build(self, state: FittedState) -> Projection:
        import torch

        from dlrun.modules.affine import Projection

        return Projection(torch.tensor(state["mean"]), torch.tensor(state["matrix"]), state["mean"].shape)
