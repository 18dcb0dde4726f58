"""Every baseline against scikit-learn or numpy, called by hand on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from dlrun.components.baselines import Fitted
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds

CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "majority": lambda: DummyClassifier(strategy="prior"),
    "logistic_regression": lambda: LogisticRegression(max_iter=1000),
    "gaussian_nb": GaussianNB,
    "k_nearest_neighbors": KNeighborsClassifier,
    "gradient_boosting": lambda: HistGradientBoostingClassifier(random_state=5),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "mean": DummyRegressor,
    "linear_mmse": lambda: LinearRegression(fit_intercept=False),
    "affine_mmse": LinearRegression,
    "k_nearest_neighbors": KNeighborsRegressor,
    "gradient_boosting": lambda: MultiOutputRegressor(HistGradientBoostingRegressor(random_state=5)),
}
KINDS = kinds("baselines")
OF_CLASSES = [kind for kind in KINDS if "classes" in find("baselines", kind).suits]
OF_NUMBERS = [kind for kind in KINDS if "numbers" in find("baselines", kind).suits]


def table(rows: int = 150, wide: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, three classes, and two numbers."""
    random = np.random.default_rng(2)
    x = random.normal(3, [1, 10, 0.1, 1][:wide], size=(rows, wide)).astype(np.float32)
    classes = np.digitize(x[:, 0] + random.normal(size=rows), [2.5, 3.5])
    numbers = x[:, :2] @ np.array([[1.0, -2.0], [0.3, 0.1]]) + 40 + random.normal(size=(rows, 2))
    return x, classes, numbers


def fitted(kind: str, x: np.ndarray, y: np.ndarray, classes: int | None, seed: int = 5) -> Fitted:
    """A baseline fitted on rows that come in three blocks."""
    blocks = zip(np.array_split(x, 3), np.array_split(y, 3), strict=True)
    return choose("baselines", kind).fit(iter(blocks), classes, seed)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_probabilities_are_those_of_scikit_learn(kind: str) -> None:
    x, y, _ = table()
    found = fitted(kind, x[:100], y[:100], 3).predict(x[100:])
    np.testing.assert_allclose(found, CLASSIFIERS[kind]().fit(x[:100], y[:100]).predict_proba(x[100:]), atol=1e-12)


@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_numbers_are_those_of_scikit_learn(kind: str) -> None:
    x, _, y = table()
    found = fitted(kind, x[:100], y[:100], None).predict(x[100:])
    expected = REGRESSORS[kind]().fit(x[:100].astype(np.float64), y[:100]).predict(x[100:].astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_a_class_without_a_training_row_has_probability_0(kind: str) -> None:
    x, y, _ = table()
    found = fitted(kind, x, 2 * (y > 1), 4).predict(x)
    assert found.shape == (150, 4)
    assert not found[:, [1, 3]].any()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["linear_mmse", "affine_mmse"])
def test_the_mean_squared_error_of_a_closed_form_is_that_of_its_residuals(kind: str) -> None:
    x, _, y = table()
    found = fitted(kind, x, y, None)
    ones = np.ones((len(x), int(kind == "affine_mmse")))
    solution = np.linalg.lstsq(np.hstack([x, ones]).astype(np.float64), y)[0]
    residuals = y - np.hstack([x, ones]) @ solution
    assert found.figures == {"train/mmse": pytest.approx(np.square(residuals).sum(axis=1).mean(), rel=1e-9)}


@pytest.mark.parametrize("kind", ["linear_mmse", "affine_mmse"])
def test_a_closed_form_takes_features_that_depend_on_each_other_and_any_scales(kind: str) -> None:
    x, _, y = table()
    plain = fitted(kind, x, y, None)
    # Copies that float32 rounds, a column of zeros, and columns of very different sizes.
    wide = np.hstack([x, x[:, :1] / np.float32(3), x[:, 1:2] * np.float32(1e9), np.zeros_like(x[:, :1])])
    wide[:, 0] *= np.float32(1e-9)
    found = fitted(kind, wide.astype(np.float32), y, None)
    np.testing.assert_allclose(found.predict(wide), plain.predict(x), rtol=1e-5)
    assert found.figures["train/mmse"] == pytest.approx(plain.figures["train/mmse"], rel=1e-5)


def test_covariances_keep_their_digits_far_from_0() -> None:
    x, _, y = table()
    far = x.astype(np.float64) + 1e7
    found = fitted("affine_mmse", far, y - 1e9, None).predict(far)
    np.testing.assert_allclose(found + 1e9, LinearRegression().fit(far, y).predict(far), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_and_seed_give_the_same_bits(kind: str) -> None:
    x, y, numbers = table()
    target, classes = (y, 3) if kind in OF_CLASSES else (numbers, None)
    once, twice = (fitted(kind, x, target, classes).predict(x) for _ in range(2))
    assert (once == twice).all()
