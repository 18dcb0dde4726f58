from __future__ import annotations

from typing import Any

from dlrun.components.baselines._sklearn import SklearnBaseline
from dlrun.language.fields import Positive, PositiveFloat


class LogisticRegression(SklearnBaseline):
    """A linear classifier with a softmax: the same as a network of one linear layer, trained to the end.

    Shape: (D,) -> (classes,). softmax(W x + b), which minimises the cross-entropy + ||W||**2 / (2*C*rows)
    Reference: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 4.4;
    sklearn.linear_model.LogisticRegression.
    Example: logistic_regression: {C: 10.0}
    """

    synonyms = ("logistic", "logit", "softmax_regression", "logreg")
    suits = frozenset({"classes", "binary"})

    C: PositiveFloat = 1.0
    """The inverse of the strength of the penalty on W."""
    max_iter: Positive = 1000
    """The most iterations."""

    def estimator(self, classes: int | None, seed: int) -> Any:
        from sklearn import linear_model

        return linear_model.LogisticRegression(C=self.C, max_iter=self.max_iter, random_state=seed % 2**32)
