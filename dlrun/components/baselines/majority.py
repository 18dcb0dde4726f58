from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.baselines import Baseline, Fitted

if TYPE_CHECKING:
    from dlrun.components.baselines import Blocks


class Majority(Baseline):
    """Predict the shares of the classes in the training rows for every row, so that the most frequent class wins.

    Of all predictions that ignore the features, it has the least cross-entropy and the highest accuracy on the training
    rows.

    Shape: (D,) -> (classes,). p(c) = rows of c / rows
    Reference: sklearn.dummy.DummyClassifier with strategy="prior".
    Example: majority
    """

    synonyms = ("dummy", "dummy_classifier", "most_frequent", "prior", "zero_r")
    suits = frozenset({"classes", "binary"})

    def fit(self, blocks: Blocks, classes: int | None, seed: int) -> Fitted:
        import numpy as np

        assert classes is not None
        counts = sum(np.bincount(y, minlength=classes) for _, y in blocks)
        shares = np.asarray(counts, np.float64) / np.sum(counts)
        return Fitted(lambda rows: np.tile(shares, (len(rows), 1)))
