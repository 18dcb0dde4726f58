from __future__ import annotations

from typing import Any

from dlrun.components.baselines._sklearn import SklearnBaseline
from dlrun.language.fields import Positive, PositiveFloat


class GradientBoosting(SklearnBaseline):
    """A sum of small decision trees, each fitted to what those before it leave; on tables often the best method.

    It learns from 100,000 training rows, drawn at random where there are more.

    Shape: (D,) -> (classes,) or (K,). softmax or identity of the sum of learning_rate * tree_i(x)
    Reference: Friedman, Greedy function approximation: a gradient boosting machine, 2001;
    sklearn.ensemble.HistGradientBoostingClassifier, sklearn.ensemble.HistGradientBoostingRegressor.
    Example: gradient_boosting: {max_iter: 200}
    """

    synonyms = ("boosting", "hist_gradient_boosting", "gbm", "xgboost", "lightgbm", "boosted_trees")
    suits = frozenset({"classes", "binary", "numbers"})
    one_number = True

    max_iter: Positive = 100
    """The number of trees; for more than two classes, of each class."""
    learning_rate: PositiveFloat = 0.1
    """The factor on each tree."""

    def estimator(self, classes: int | None, seed: int) -> Any:
        from sklearn import ensemble

        make = ensemble.HistGradientBoostingRegressor if classes is None else ensemble.HistGradientBoostingClassifier
        return make(max_iter=self.max_iter, learning_rate=self.learning_rate, random_state=seed % 2**32)
