from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.baselines import Baseline, Fitted

if TYPE_CHECKING:
    from dlrun.components.baselines import Blocks


class Mean(Baseline):
    """Predict the mean of the training rows' targets for every row.

    Of all predictions that ignore the features, it has the least squared error on the training rows.

    Shape: (D,) -> (K,). y = mean of the targets
    Reference: sklearn.dummy.DummyRegressor.
    Example: mean
    """

    synonyms = ("dummy_regressor", "average")
    suits = frozenset({"numbers"})

    def fit(self, blocks: Blocks, classes: int | None, seed: int) -> Fitted:
        import numpy as np

        sums, count = np.float64(0), 0
        for _, y in blocks:
            sums, count = sums + y.sum(axis=0, dtype=np.float64), count + len(y)
        mean = np.atleast_1d(sums / count)
        return Fitted(lambda rows: np.tile(mean, (len(rows), 1)))
