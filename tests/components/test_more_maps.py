"""Maps of numbers besides the first ones: each equals scikit-learn's, torch's, or a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, RobustScaler, StandardScaler

from dlrun.components.preprocess import FitError, Map, TrainingRows
from dlrun.language.component import choose, setting_problems
from dlrun.modules.frozen_map import OnColumns, OutOfDomainError, back
from dlrun.shapes import ShapeError

NO_TARGET = np.zeros(0)


def fitted(step: Any, rows: Any) -> Any:
    """The module of a step as it is written, fitted on rows."""
    found = choose("preprocess", step)
    assert isinstance(found, Map)
    found.output_shape(np.shape(rows)[1:], len(rows), None)
    return found.build(found.fit(TrainingRows(np.asarray(rows, float)), NO_TARGET, None))


def exact(step: Any, rows: Any, new: Any = None) -> Any:
    """What a fitted step makes of rows, or of new ones, in float64."""
    return fitted(step, rows)(torch.tensor(np.asarray(rows if new is None else new, float))).numpy()


def told(step: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        choose("preprocess", step)
    (problem,) = setting_problems(caught.value)
    return problem.message


def skewed(rows: int = 400, numbers: int = 5, seed: int = 0) -> Any:
    """Numbers of a long tail, and a few outliers."""
    found = np.random.default_rng(seed).lognormal(size=(rows, numbers))
    found[:3] *= 1000
    return found


def images(rows: int = 30) -> Any:
    """Images whose channels differ in scale."""
    return np.random.default_rng(2).normal(size=(rows, 3, 6, 5)) * np.array([1, 10, 100]).reshape(3, 1, 1) + 4


class TestRobust:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"quantile_range": (10, 80)},
            {"with_centering": False},
            {"with_scaling": False},
        ],
    )
    def test_it_is_scikit_learns(self, settings: dict[str, Any]):
        rows = skewed()
        new = skewed(50, seed=1)
        theirs = RobustScaler(**settings).fit(rows)
        assert np.allclose(exact({"robust": settings}, rows, new), theirs.transform(new), rtol=1e-12, atol=1e-12)

    def test_a_number_of_equal_quantiles_is_centred_and_not_scaled(self):
        rows = np.array([[0.0], [0], [0], [0], [0], [0], [7]])
        assert exact("robust", rows).ravel().tolist() == [0, 0, 0, 0, 0, 0, 7]

    def test_one_row_in_a_thousand_changes_nothing_where_the_mean_would_move(self):
        rows = np.random.default_rng(0).normal(size=(1001, 1))
        far = rows.copy()
        far[rows.argmax()] = 1e9
        assert np.array_equal(exact("robust", rows, rows[:5]), exact("robust", far, rows[:5]))

    def test_doing_nothing_is_refused(self):
        assert "would do nothing" in told({"robust": {"with_centering": False, "with_scaling": False}})

    @pytest.mark.parametrize("range_", [[75, 25], [25], 3, [0, 101], [True, 50]])
    def test_a_range_is_two_percentages_in_order(self, range_: Any):
        assert told({"robust": range_}).startswith("a range of quantiles is a list of two percentages in order")


class TestPerChannel:
    @pytest.mark.parametrize("kind", ["standardize", "minmax", "robust"])
    def test_a_channel_is_one_column_of_all_its_points(self, kind: str):
        rows = images()
        points = rows.transpose(0, 2, 3, 1).reshape(-1, 3)
        expected = exact(kind, points).reshape(30, 6, 5, 3).transpose(0, 3, 1, 2)
        assert np.allclose(exact({kind: {"per": "channel"}}, rows), expected, rtol=1e-11, atol=1e-11)

    @pytest.mark.parametrize("kind", ["standardize", "minmax", "robust"])
    def test_a_feature_of_a_sequence_is_one_column_of_all_its_steps(self, kind: str):
        rows = images()[:, 0]
        expected = exact(kind, rows.reshape(-1, 5)).reshape(30, 6, 5)
        assert np.allclose(exact({kind: {"per": "feature"}}, rows), expected, rtol=1e-11, atol=1e-11)

    def test_it_is_the_usual_mean_and_deviation_of_each_channel(self):
        rows = images()
        mean, deviation = rows.mean(axis=(0, 2, 3), keepdims=True), rows.std(axis=(0, 2, 3), keepdims=True)
        assert np.allclose(exact({"standardize": "channel"}, rows), (rows - mean) / deviation, atol=1e-11)
        assert fitted({"standardize": "channel"}, rows).offset.shape == (3, 1, 1)

    def test_a_constant_channel_becomes_0(self):
        rows = images()
        rows[:, 1] = 0.1
        assert (exact({"standardize": "channel"}, rows)[:, 1] == 0).all()

    @pytest.mark.parametrize("kind", ["standardize", "minmax", "robust"])
    def test_columns_have_no_channels(self, kind: str):
        with pytest.raises(ShapeError, match=r"needs rows of \(channels, \.\.\.\).*received \(5,\)"):
            fitted({kind: {"per": "channel"}}, skewed())


class TestLog1p:
    def test_it_is_scikit_learns_function_transformer(self):
        rows = skewed()
        assert np.allclose(exact("log1p", rows), FunctionTransformer(np.log1p).fit_transform(rows), rtol=1e-14)

    def test_small_numbers_keep_their_digits(self):
        assert exact("log1p", [[1e-18], [-1e-18]]).ravel().tolist() == [1e-18, -1e-18]

    def test_the_first_number_that_has_no_logarithm_is_named(self, monkeypatch: pytest.MonkeyPatch):
        rows = skewed()
        rows[310, 2], rows[350, 0] = -1, -7
        monkeypatch.setattr("dlrun.components.preprocess._rows.BLOCK_BYTES", 1 << 9)
        with pytest.raises(OutOfDomainError) as caught:
            fitted("log1p", rows)
        assert (caught.value.row, caught.value.number, caught.value.value) == (310, 2, -1)

    def test_rows_that_come_later_are_refused_too(self):
        module = fitted("log1p", skewed())
        with pytest.raises(OutOfDomainError, match="row 1 holds -2 as its number 1; log1p takes numbers above -1"):
            module(torch.tensor([[0.0] * 5, [-2.0] * 5]))


class TestClip:
    def test_bounds_that_are_given_are_numpys_clip(self):
        rows = skewed()
        assert np.array_equal(exact({"clip": {"min": 0.5, "max": 2}}, rows), rows.clip(0.5, 2))
        assert np.array_equal(exact({"clip": {"max": 2}}, rows), rows.clip(None, 2))
        assert np.array_equal(exact({"clip": 0.5}, rows), rows.clip(0.5))

    def test_quantiles_are_those_of_the_training_rows(self):
        rows, new = skewed(), skewed(50, seed=1)
        low, high = np.quantile(rows, [0.05, 0.9], axis=0)
        assert np.allclose(exact({"clip": {"quantiles": [0.05, 0.9]}}, rows, new), new.clip(low, high), rtol=1e-13)

    @pytest.mark.parametrize("settings", [{}, {"min": 0, "quantiles": [0, 1]}, {"min": 2, "max": 2}])
    def test_it_needs_bounds_in_order_or_quantiles(self, settings: dict[str, Any]):
        assert told({"clip": settings}).startswith(("give either bounds", "min is below max"))

    @pytest.mark.parametrize("shares", [[0.9, 0.1], [1, 99], [0.1], "ab"])
    def test_quantiles_are_shares(self, shares: Any):
        assert told({"clip": {"quantiles": shares}}).startswith("'quantiles' is a list of two shares from 0 to 1")


class TestQuantile:
    @pytest.mark.parametrize("output", ["uniform", "normal"])
    @pytest.mark.parametrize("count", [10, 100, 1000])
    def test_it_is_scikit_learns(self, output: Any, count: int):
        rows, new = skewed(), skewed(80, seed=1)
        rows[:, 3] = rows[:, 3].round()  # ties
        new[:, 3] = new[:, 3].round()
        new[0], new[1] = -5, 1e9
        theirs = QuantileTransformer(n_quantiles=min(count, 400), output_distribution=output, subsample=10**6).fit(rows)
        step = {"quantile": {"output_distribution": output, "n_quantiles": count}}
        for values in (rows, new):
            assert np.allclose(exact(step, rows, values), theirs.transform(values), atol=1e-6)
        y = theirs.transform(new)
        undone = back([fitted(step, rows)])(torch.tensor(y)).numpy()
        assert np.allclose(undone, theirs.inverse_transform(y), rtol=1e-6)

    def test_uniform_is_uniform(self):
        out = np.sort(exact("quantile", skewed(101)), axis=0)
        assert np.allclose(out, np.linspace(0, 1, 101)[:, None], atol=1e-12)

    @pytest.mark.parametrize("output", ["uniform", "normal"])
    def test_a_constant_becomes_0_whatever_comes_later_and_comes_back(self, output: str):
        rows = np.full((9, 1), 0.1)
        assert (exact({"quantile": output}, rows, [[0.1], [0.0], [7.0]]) == 0).all()
        assert back([fitted({"quantile": output}, rows)])(torch.zeros(2, 1)).ravel().tolist() == [0.1, 0.1]

    def test_one_quantile_is_too_few(self):
        assert "2" in told({"quantile": {"n_quantiles": 1}})


class TestWhitening:
    @pytest.mark.parametrize("blocks", [1 << 10, 1 << 22])
    @pytest.mark.parametrize("count", [2, 0.95])
    def test_whitened_principal_components_are_scikit_learns(
        self, count: Any, blocks: int, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("dlrun.components.preprocess._rows.BLOCK_BYTES", blocks)
        rows, _ = datasets.load_wine(return_X_y=True)
        theirs = PCA(count, whiten=True, svd_solver="full").fit_transform(rows)
        ours = exact({"pca": {"n_components": count, "whiten": True}}, rows)
        assert ours.shape == theirs.shape
        assert np.allclose(ours, theirs, atol=1e-8)
        assert np.allclose(np.cov(ours.T), np.eye(ours.shape[1]), atol=1e-8)

    @pytest.mark.parametrize("blocks", [1 << 10, 1 << 22])
    def test_zca_gives_the_covariance_1_and_is_the_closed_form(self, blocks: int, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("dlrun.components.preprocess._rows.BLOCK_BYTES", blocks)
        rows = StandardScaler().fit_transform(datasets.load_wine(return_X_y=True)[0])
        ours = exact({"zca": 0}, rows)
        assert np.allclose(np.cov(ours.T), np.eye(13), atol=1e-9)
        covariance = np.cov(rows.T)
        for epsilon in (0, 0.1):
            variances, axes = np.linalg.eigh(covariance)
            root = axes @ np.diag((variances + epsilon) ** -0.5) @ axes.T
            assert np.allclose(exact({"zca": epsilon}, rows), (rows - rows.mean(axis=0)) @ root, atol=1e-9)

    def test_zca_keeps_images_and_leaves_out_what_does_not_vary(self):
        rows = images(200)
        rows[:, :, 0, 0] = 0.1
        out = exact({"zca": 0}, rows)
        assert out.shape == rows.shape
        assert np.allclose(out[:, :, 0, 0], 0, atol=1e-9)
        covariance = np.cov(out.reshape(200, -1).T)
        varying = np.delete(np.arange(90), [0, 30, 60])
        assert np.allclose(covariance[np.ix_(varying, varying)], np.eye(87), atol=1e-7)

    def test_zca_of_fewer_rows_than_numbers_is_a_projection_of_covariance_1(self):
        out = exact({"zca": 0}, np.random.default_rng(0).normal(size=(8, 20)))
        values = np.linalg.eigvalsh(np.cov(out.T))
        assert np.allclose(np.sort(values)[-7:], 1, atol=1e-9)
        assert np.allclose(np.sort(values)[:-7], 0, atol=1e-9)

    def test_equal_rows_cannot_be_whitened(self):
        with pytest.raises(FitError, match="all training rows are equal"):
            fitted("zca", np.ones((5, 3)))


class TestResize:
    @pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("size", [(3, 2), (12, 15), (4, 10)])
    def test_it_is_pillows_on_images_of_float32(self, mode: str, size: tuple[int, int]):
        from PIL import Image

        rows = np.random.default_rng(1).random((2, 3, 6, 5)).astype(np.float32)
        ours = exact({"resize": {"size": list(size), "mode": mode}}, rows)
        assert ours.shape == (2, 3, *size)
        how = Image.Resampling[mode.upper()]
        for image, found in zip(rows.reshape(-1, 6, 5), ours.reshape(-1, *size), strict=True):
            theirs = np.asarray(Image.fromarray(image).resize((size[1], size[0]), how))
            # Pillow's bicubic has the parameter -0.5, as torch's with antialias.
            assert np.allclose(found, theirs, atol=1e-5)

    def test_half_the_size_is_near_the_mean_of_the_points(self):
        rows = np.full((1, 4, 4), 7.0)
        assert np.allclose(exact({"resize": 2}, rows), 7)

    def test_nearest_makes_no_new_numbers(self):
        rows = np.arange(36.0).reshape(1, 6, 6)
        out = exact({"resize": {"size": [3, 4], "mode": "nearest"}}, rows)
        assert set(out.ravel()) <= set(rows.ravel())
        assert out.shape == (1, 3, 4)

    def test_a_row_of_a_table_is_no_image(self):
        with pytest.raises(ShapeError, match=r"needs images .*received \(5,\)"):
            fitted({"resize": 3}, skewed())


STEPS = [
    *(
        "standardize",
        "minmax",
        "robust",
        "quantile",
        {"quantile": "normal"},
        "log1p",
        {"clip": {"quantiles": [0.1, 0.9]}},
    ),
    *("log1p", "zca", {"pca": {"n_components": 2, "whiten": True}}),
]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_rows_that_are_not_for_training_change_no_fitted_number(step: Any):
    rows, train = skewed(), np.arange(0, 400, 2)
    other = rows.copy()
    other[1::2] = np.random.default_rng(9).normal(size=(200, 5)) * 1e6
    found = choose("preprocess", step)
    assert isinstance(found, Map)
    first, second = (found.fit(TrainingRows(values, train), NO_TARGET, None) for values in (rows, other))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_errors_of_some_columns_stay_with_them():
    inner, rows = fitted({"robust": {}}, skewed()[:, :2]), torch.tensor(skewed())
    sizes = torch.full_like(rows, 1e-9)
    scaled = inner.errors(rows[:, [3, 1]], sizes[:, [3, 1]])
    there = OnColumns(inner, [3, 1], 5, in_place=True).errors(rows, sizes)
    assert torch.equal(there[:, [3, 1]], scaled)
    assert torch.equal(there[:, [0, 2, 4]], sizes[:, [0, 2, 4]])


@pytest.mark.parametrize("before", ["log1p", "robust", {"quantile": "normal"}, {"clip": {"quantiles": [0.1, 0.9]}}])
@pytest.mark.parametrize("whiten", [False, True])
def test_columns_that_are_one_but_for_rounding_add_no_direction_after_a_bent_map(before: Any, whiten: bool):
    base = skewed(500, 3)
    rows = np.concatenate([base, base[:, :1] * (1 + 1e-9)], axis=1).astype(np.float32)
    training = TrainingRows(rows)
    for step in (before, "standardize"):
        found = choose("preprocess", step)
        assert isinstance(found, Map)
        training = training.after(found.build(found.fit(training, NO_TARGET, None)))
    found = choose("preprocess", {"pca": {"n_components": 0.999999999, "whiten": whiten}})
    assert isinstance(found, Map)
    assert len(found.fit(training, NO_TARGET, None)["matrix"]) == 3
