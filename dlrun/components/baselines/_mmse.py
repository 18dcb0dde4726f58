"""Estimators with the least mean squared error, in closed form from the second moments of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dlrun.components.baselines import Baseline, BaselineError, Fitted

if TYPE_CHECKING:
    from dlrun.components.baselines import Array, Blocks

MOST_NUMBERS = 10_000
"""Numbers in a row; the matrix of their second moments has the square of it."""
EPS = 2.0**-23
"""The relative distance of two numbers of float32, to which features are rounded."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The means, and the second moments about them or about 0, of the training rows in float64."""

    x: Array
    """(D,), the point about which the moments of x are."""
    y: Array
    """(K,), that of y."""
    xx: Array
    """(D, D)"""
    xy: Array
    """(D, K)"""
    yy: Array
    """(K, K)"""


class MmseBaseline(Baseline):
    """A matrix, and perhaps an offset, that minimise the mean squared error of the training rows."""

    suits = frozenset({"numbers"})
    centered: ClassVar[bool]
    """Whether the moments are about the means."""

    def fit(self, blocks: Blocks, classes: int | None, seed: int) -> Fitted:
        import numpy as np

        found = moments(blocks, self.centered)
        matrix = solve(found.xx, found.xy)
        error = float(np.trace(found.yy) - np.einsum("dk,dk->", matrix, found.xy))
        offset = found.y - found.x @ matrix

        def predict(rows: Array) -> Array:
            return rows.astype(np.float64, copy=False) @ matrix + offset

        return Fitted(predict, {"train/mmse": max(error, 0.0)})


def moments(blocks: Blocks, centered: bool) -> Moments:
    """The moments of all rows, in one pass.

    Raises:
        BaselineError: a row has too many numbers.
    """
    import numpy as np

    count, first, sums, products, width = 0, np.zeros(0), np.zeros(0), np.zeros((0, 0)), 0
    for x, y in blocks:
        if x.shape[1] > MOST_NUMBERS:
            raise BaselineError(f"a row has {x.shape[1]:,} numbers; at most {MOST_NUMBERS:,} are taken")
        rows = np.concatenate([x, y], axis=1).astype(np.float64, copy=False)
        if count == 0:
            width = x.shape[1]
            # Sums of squares far from 0 would lose digits: they are about the first block's mean, then about the mean.
            first = rows.mean(axis=0) if centered else np.zeros(rows.shape[1])
            sums, products = np.zeros_like(first), np.zeros((len(first), len(first)))
        rows = rows - first
        sums, products, count = sums + rows.sum(axis=0), products + rows.T @ rows, count + len(rows)
    mean = sums / count if centered else np.zeros_like(first)
    about, second = first + mean, products / count - np.outer(mean, mean)
    return Moments(about[:width], about[width:], second[:width, :width], second[:width, width:], second[width:, width:])


def solve(xx: Array, xy: Array) -> Array:
    """The matrix M (D, K) with xx M = xy, and of several the one of least norm for features of scale 1.

    Where xx is singular, the directions without variance are left out: those whose share of the largest variance is
    under D * EPS**2, which is what rounding to float32 makes of 0.
    """
    import numpy as np

    scale = np.sqrt(np.diag(xx))
    scale = np.where(scale > 0, scale, 1.0)
    inverse = np.linalg.pinv(xx / np.outer(scale, scale), rcond=len(xx) * EPS**2, hermitian=True)
    return (inverse @ (xy / scale[:, None])) / scale[:, None]
