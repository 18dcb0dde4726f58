from __future__ import annotations

from typing import Any

from dlrun.components.baselines._sklearn import SklearnBaseline
from dlrun.language.fields import PositiveFloat


class GaussianNb(SklearnBaseline):
    """Naive Bayes: in each class every feature is normal, and independent of the others.

    Shape: (D,) -> (classes,). p(c | x) proportional to p(c) * product of N(x_i; mean of i in c, variance of i in c)
    Reference: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 6.6.3;
    sklearn.naive_bayes.GaussianNB.
    Example: gaussian_nb
    """

    synonyms = ("naive_bayes", "gaussian_naive_bayes", "nb")
    suits = frozenset({"classes", "binary"})

    var_smoothing: PositiveFloat = 1e-9
    """The share of the largest variance of a feature that is added to all variances."""

    def estimator(self, classes: int | None, seed: int) -> Any:
        from sklearn.naive_bayes import GaussianNB

        return GaussianNB(var_smoothing=self.var_smoothing)
