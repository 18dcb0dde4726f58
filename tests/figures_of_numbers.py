"""What other libraries make of targets and outputs that are numbers, for each metric of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics as reference


def the_mean(score: Callable[[np.ndarray, np.ndarray], Any]) -> Callable[[np.ndarray, np.ndarray], Any]:
    """Of a value for each target."""
    return lambda y, x: np.mean([score(truth, one) for truth, one in zip(y.T, x.T, strict=True)])


OF_NUMBERS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "explained_variance": reference.explained_variance_score,
    "mae": reference.mean_absolute_error,
    "mape": reference.mean_absolute_percentage_error,
    "max_error": lambda y, x: reference.max_error(y.ravel(), x.ravel()),
    "median_absolute_error": reference.median_absolute_error,
    "mse": reference.mean_squared_error,
    "pearson": the_mean(lambda y, x: stats.pearsonr(y, x)[0] if np.ptp(x) else np.nan),
    "r2": reference.r2_score,
    "rmse": reference.root_mean_squared_error,
}
"""By the name of the metric: a function of targets and outputs (N, targets)."""
