"""Baselines that are classes of scikit-learn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from dlrun.components.baselines import Baseline, BaselineError, Fitted

if TYPE_CHECKING:
    import numpy as np

    from dlrun.components.baselines import Array, Blocks


class SklearnBaseline(Baseline):
    """A baseline that an estimator of scikit-learn computes."""

    most_rows = 100_000
    one_number: ClassVar[bool] = False
    """Whether its estimator predicts one number only, so that each number gets an estimator of its own."""

    def estimator(self, classes: int | None, seed: int) -> Any:
        """A new estimator, not fitted; `classes` is None where numbers are predicted."""
        raise NotImplementedError

    def fit(self, blocks: Blocks, classes: int | None, seed: int) -> Fitted:
        import numpy as np
        from sklearn.exceptions import ConvergenceWarning

        parts = list(blocks)
        x, y = np.concatenate([part for part, _ in parts]), np.concatenate([part for _, part in parts])
        columns = [y] if classes is not None or not self.one_number else list(y.T)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                made = [self.estimator(classes, seed).fit(x, column) for column in columns]
            except ValueError as error:
                raise BaselineError(str(error).strip().split("\n")[0]) from None
        unfinished = any(issubclass(warning.category, ConvergenceWarning) for warning in warned)
        remark = "it did not converge; `preprocess: [standardize]` helps" if unfinished else ""
        if classes is not None:
            return Fitted(lambda rows: _every_class(made[0], rows, classes), remark=remark)
        return Fitted(lambda rows: np.concatenate([_column(one.predict(rows)) for one in made], axis=1), remark=remark)


def _every_class(estimator: Any, rows: Array, classes: int) -> Array:
    """The probability of each class (n, classes): 0 for one that no training row has."""
    import numpy as np

    found = np.zeros((len(rows), classes))
    found[:, estimator.classes_] = estimator.predict_proba(rows)
    return found


def _column(numbers: np.ndarray[Any, Any]) -> Array:
    return numbers.reshape(len(numbers), -1)
