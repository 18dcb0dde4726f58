from __future__ import annotations

from typing import Any

from dlrun.components.baselines._sklearn import SklearnBaseline
from dlrun.language.fields import Positive


class KNearestNeighbors(SklearnBaseline):
    """Predict what the nearest training rows have: the share of each class among them, or the mean of their targets.

    It compares with 20,000 training rows, drawn at random where there are more.

    Shape: (D,) -> (classes,) or (K,). The mean over the n_neighbors training rows with the least ||x - x_i||
    Reference: Cover and Hart, Nearest neighbor pattern classification, 1967; sklearn.neighbors.KNeighborsClassifier,
    sklearn.neighbors.KNeighborsRegressor.
    Example: k_nearest_neighbors: 10
    """

    synonyms = ("knn", "k_neighbors", "nearest_neighbors", "kneighbors_classifier", "kneighbors_regressor")
    suits = frozenset({"classes", "binary", "numbers"})
    most_rows = 20_000

    n_neighbors: Positive = 5
    """How many neighbours count."""

    def estimator(self, classes: int | None, seed: int) -> Any:
        from sklearn import neighbors

        make = neighbors.KNeighborsRegressor if classes is None else neighbors.KNeighborsClassifier
        return make(n_neighbors=self.n_neighbors)
