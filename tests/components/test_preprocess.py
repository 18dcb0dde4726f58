from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from dlrun.components.preprocess import FitError, Preprocess, TrainingRows
from dlrun.components.preprocess.lda import Lda
from dlrun.components.preprocess.minmax import Minmax
from dlrun.components.preprocess.pca import Pca
from dlrun.components.preprocess.standardize import Standardize
from dlrun.language.component import choose, setting_problems
from dlrun.shapes import ShapeError

SETS = ["digits", "iris", "wine"]
NO_TARGET = np.zeros(0)


def data_set(name: str) -> tuple[Any, Any]:
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def exact(step: Preprocess, rows: Any, target: Any = NO_TARGET, new: Any = None) -> Any:
    """What the fitted step makes of rows, in float64."""
    classes = len(np.unique(target)) if len(target) else None
    module = step.build(step.fit(TrainingRows(np.asarray(rows, float)), target, classes))
    return module.exact(torch.tensor(np.asarray(rows if new is None else new))).numpy()


def same_up_to_sign(ours: Any, theirs: Any) -> bool:
    signs = np.sign((ours * theirs).sum(axis=0))
    return ours.shape == theirs.shape and np.allclose(ours * signs, theirs, rtol=1e-8, atol=1e-8)


def noise(rows: int, numbers: int) -> Any:
    return np.random.default_rng(1).normal(size=(rows, numbers))


def told(step: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        choose("preprocess", step)
    return [problem.message for problem in setting_problems(caught.value)]


class TestStandardize:
    def test_two_numbers_by_hand(self):
        # mean 3, deviation sqrt((4 + 0 + 4) / 3)
        out = exact(Standardize(), [[1.0], [3], [5]], new=[[3.0], [7]])
        assert out == pytest.approx(np.array([[0], [4 / (8 / 3) ** 0.5]]))

    @pytest.mark.parametrize("name", SETS)
    def test_it_is_what_scikit_learn_computes(self, name: str):
        rows, _ = data_set(name)
        assert np.allclose(exact(Standardize(), rows), StandardScaler().fit_transform(rows), atol=1e-12)

    @pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e15 + 0.3, 1e-300])
    def test_a_constant_becomes_exactly_0(self, value: float):
        rows = np.column_stack([np.full(77, value), np.arange(77)])
        assert (exact(Standardize(), rows)[:, 0] == 0).all()

    def test_images_keep_their_shape_and_each_place_has_its_own_numbers(self):
        images = np.arange(24.0).reshape(4, 1, 2, 3) ** 2
        state = Standardize().fit(TrainingRows(images), NO_TARGET, None)
        assert state["offset"].shape == (1, 2, 3)
        assert state["offset"] == pytest.approx(images.mean(axis=0))
        assert 1 / state["factor"] == pytest.approx(images.std(axis=0))

    def test_numbers_too_large_to_compute_with_are_refused(self):
        with pytest.raises(FitError, match="too large"):
            Standardize().fit(TrainingRows(np.array([[1e308], [1.2e308], [1.7e308]])), NO_TARGET, None)


class TestMinmax:
    def test_two_numbers_by_hand(self):
        assert exact(Minmax(), [[2.0], [4], [6]], new=[[2.0], [5], [8]]).ravel().tolist() == [0, 0.75, 1.5]
        step = Minmax(feature_range=(-1, 1))
        assert exact(step, [[2.0], [4], [6]], new=[[2.0], [5], [8]]).ravel().tolist() == [-1, 0.5, 2]

    @pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (2, 5.5)])
    @pytest.mark.parametrize("name", SETS)
    def test_it_is_what_scikit_learn_computes(self, name: str, bounds: Any):
        rows, _ = data_set(name)
        theirs = MinMaxScaler(feature_range=bounds).fit_transform(rows)
        assert np.allclose(exact(Minmax(feature_range=bounds), rows), theirs, atol=1e-12)

    @pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e6])
    def test_a_constant_becomes_the_lower_end(self, value: float):
        rows = np.column_stack([np.full(7, value), np.arange(7)])
        assert (exact(Minmax(), rows)[:, 0] == 0).all()
        assert exact(Minmax(feature_range=(-1, 3)), rows)[:, 0] == pytest.approx(-1)

    @pytest.mark.parametrize(
        "bounds", [[1, 0], [1, 1], [0], [0, 1, 2], 3, "ab", [True, 2], [0, None], [0, float("inf")]]
    )
    def test_a_range_is_two_numbers_in_order(self, bounds: Any):
        (message,) = told({"minmax": bounds})
        assert message.startswith("a range ")

    def test_whole_numbers_make_a_range(self):
        assert choose("preprocess", {"minmax": [0, 2]}) == Minmax(feature_range=(0.0, 2.0))


class TestPca:
    @pytest.mark.parametrize("whiten", [False, True])
    @pytest.mark.parametrize("name", SETS)
    def test_it_is_scikit_learns_projection(self, name: str, whiten: bool):
        rows, _ = data_set(name)
        for count in (1, 3):
            ours = exact(Pca(n_components=count, whiten=whiten), rows)
            theirs = PCA(count, whiten=whiten, svd_solver="full").fit_transform(rows)
            assert same_up_to_sign(ours, theirs)

    def test_rows_that_were_not_fitted_on_are_projected_alike(self):
        rows, _ = data_set("digits")
        ours = exact(Pca(n_components=5), rows[:900], new=rows[900:])
        assert same_up_to_sign(ours, PCA(5, svd_solver="full").fit(rows[:900]).transform(rows[900:]))

    def test_three_points_by_hand(self):
        # on the line y = x, at distances -sqrt(2), 0 and sqrt(2) from their mean (1, 1)
        out = exact(Pca(n_components=1), [[0.0, 0], [1, 1], [2, 2]])
        assert abs(out.ravel()) == pytest.approx([2**0.5, 0, 2**0.5])
        white = exact(Pca(n_components=1, whiten=True), [[0.0, 0], [1, 1], [2, 2]])
        assert abs(white.ravel()) == pytest.approx([1, 0, 1])  # the variance is (2 + 0 + 2) / 2

    @pytest.mark.parametrize("name", SETS)
    @pytest.mark.parametrize("share", [0.5, 0.9, 0.999999])
    def test_a_share_keeps_as_many_as_scikit_learn_does(self, name: str, share: float):
        rows, _ = data_set(name)
        step = Pca(n_components=share)
        state = step.fit(TrainingRows(rows), NO_TARGET, None)
        assert len(state["matrix"]) == PCA(share, svd_solver="full").fit(rows).n_components_
        settled = step.settled(state)
        assert settled == Pca(n_components=len(state["matrix"]))
        assert settled.output_shape(rows.shape[1:], len(rows), None) == ((len(state["matrix"]),), True)

    def test_a_share_next_to_one_never_goes_beyond_the_rank(self):
        rows = noise(40, 3) @ noise(3, 8)
        state = Pca(n_components=1 - 2**-53, whiten=True).fit(TrainingRows(rows), NO_TARGET, None)
        assert len(state["matrix"]) == 3

    def test_images_are_laid_out_flat(self):
        rows, _ = data_set("digits")
        images = rows.reshape(-1, 1, 8, 8)
        flat, stacked = (Pca(n_components=4).fit(TrainingRows(x), NO_TARGET, None) for x in (rows, images))
        assert (flat["matrix"] == stacked["matrix"]).all()
        assert exact(Pca(n_components=4), images).shape == (1797, 4)

    @pytest.mark.parametrize("whiten", [False, True])
    @pytest.mark.parametrize("offset", [0.0, 0.1, 1e7])
    def test_more_directions_than_the_rank_are_refused_with_the_rank(self, whiten: bool, offset: float):
        rows = np.column_stack([noise(50, 3) @ noise(3, 6), np.full(50, 0.1)]) + offset
        assert exact(Pca(n_components=3, whiten=whiten), rows).shape == (50, 3)
        with pytest.raises(FitError) as caught:
            Pca(n_components=4, whiten=whiten).fit(TrainingRows(rows), NO_TARGET, None)
        assert caught.value.message == "4 directions are wanted, but the training rows vary in only 3"
        assert caught.value.hint == "write `pca: 3` or less"

    def test_a_column_and_its_double_are_one_direction_even_after_standardize(self):
        one = noise(60, 1)
        rows = np.column_stack([one, 2 * one + 0.3])
        step = Standardize()
        rows = exact(step, rows)
        with pytest.raises(FitError, match="vary in only 1"):
            Pca(n_components=2, whiten=True).fit(TrainingRows(rows), NO_TARGET, None)

    @pytest.mark.parametrize("count", [1, 0.9])
    @pytest.mark.parametrize("value", [0.0, 0.1, 1e300])
    def test_rows_that_are_all_the_same_have_no_direction(self, count: Any, value: float):
        with pytest.raises(FitError, match="all training rows are equal"):
            Pca(n_components=count).fit(TrainingRows(np.full((9, 4), value)), NO_TARGET, None)

    def test_numbers_too_large_to_compute_with_are_refused(self):
        with pytest.raises(FitError, match="too large"):
            Pca(n_components=1).fit(TrainingRows(1e200 * noise(9, 4)), NO_TARGET, None)

    @pytest.mark.parametrize("count", [1, 0.9])
    def test_numbers_too_small_to_square_are_refused(self, count: Any):
        with pytest.raises(FitError, match="too small"):
            Pca(n_components=count).fit(TrainingRows(1e-200 * noise(9, 4)), NO_TARGET, None)

    def test_the_plan_refuses_more_directions_than_there_can_be(self):
        with pytest.raises(ShapeError, match=r"n_components is 9, but 8 numbers in a row allow at most 8"):
            Pca(n_components=9).output_shape((2, 4), 100, None)
        with pytest.raises(ShapeError, match=r"5 training rows, minus one for their mean, allow at most 4"):
            Pca(n_components=5).output_shape((8,), 5, None)
        assert Pca(n_components=8).output_shape((2, 4), 9, None) == ((8,), True)
        assert Pca(n_components=0.5).output_shape((8,), 5, None) == ((4,), False)
        with pytest.raises(ShapeError, match="at least 2 training rows"):
            Pca(n_components=0.5).output_shape((8,), 1, None)

    @pytest.mark.parametrize("count", [0, -1, 0.0, 1.0, 1.5, True, "many", None, [2], float("nan")])
    def test_a_number_of_directions_is_whole_or_a_share(self, count: Any):
        (message,) = told({"pca": {"n_components": count}})
        assert message.startswith("'n_components' is a whole number from 1 on, or a share of the variance")

    def test_the_number_of_directions_must_be_given(self):
        assert told("pca") == ["pca needs 'n_components'"]

    def test_the_formula_counts_the_numbers(self):
        assert Pca(n_components=10).formulas((64,), (10,)) == ["out = 10 of 64 numbers"]
        (line,) = Pca(n_components=0.95).formulas((64,), (64,))
        assert line == "out = at most 64 of 64 numbers, as many as keep 0.95 of the variance"


class TestLda:
    @pytest.mark.parametrize("name", SETS)
    def test_it_is_scikit_learns_projection(self, name: str):
        rows, target = data_set(name)
        theirs = LinearDiscriminantAnalysis(solver="svd").fit(rows, target).transform(rows)
        assert same_up_to_sign(exact(Lda(), rows, target), theirs)
        assert same_up_to_sign(exact(Lda(n_components=1), rows, target), theirs[:, :1])

    def test_rows_that_were_not_fitted_on_are_projected_alike(self):
        rows, target = data_set("wine")
        theirs = LinearDiscriminantAnalysis(solver="svd").fit(rows[::2], target[::2]).transform(rows[1::2])
        assert same_up_to_sign(exact(Lda(), rows[::2], target[::2], rows[1::2]), theirs)

    def test_two_classes_by_hand(self):
        # Within, both numbers have variance 1 and do not go together; only the first tells the classes apart.
        square = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
        rows = np.vstack([square, square + np.array([4, 0])])
        out = exact(Lda(), rows, np.repeat([0, 1], 4)).ravel()
        assert abs(out) == pytest.approx([3, 3, 1, 1, 1, 1, 3, 3])

    def test_the_plan_knows_how_many_directions_there_can_be(self):
        assert Lda().output_shape((1, 8, 8), 100, 10) == ((9,), True)
        assert Lda().output_shape((4,), 100, 10) == ((4,), True)
        assert Lda(n_components=2).output_shape((4,), 100, 10) == ((2,), True)
        with pytest.raises(ShapeError, match="the means of 3 classes differ in at most 2 directions"):
            Lda(n_components=3).output_shape((4,), 100, 3)
        with pytest.raises(ShapeError, match="n_components is 5, but a row has 4 numbers"):
            Lda(n_components=5).output_shape((4,), 100, 10)
        with pytest.raises(ShapeError, match="the target is numbers"):
            Lda().output_shape((4,), 100, None)

    def test_directions_without_scatter_within_classes_are_dropped(self):
        rows, target = data_set("iris")
        means = np.array([0.1, 0.7, 0.9])[target]  # tells the classes apart without fail
        wide = np.column_stack([rows, means, np.full(150, 0.1), rows[:, 0]])
        assert same_up_to_sign(exact(Lda(), wide, target), exact(Lda(), rows, target))
        state = Lda().fit(TrainingRows(wide), target, 3)
        assert (state["matrix"][:, 4:6] == 0).all()

    def test_more_numbers_than_rows_give_finite_directions(self):
        rows, target = noise(12, 40), np.arange(12) % 3
        assert np.isfinite(exact(Lda(), rows, target)).all()
        theirs = LinearDiscriminantAnalysis(solver="svd").fit(rows, target).transform(rows)
        assert same_up_to_sign(exact(Lda(), rows, target), theirs)

    @pytest.mark.parametrize("each", [1, 5])
    def test_classes_without_scatter_are_refused(self, each: int):
        target = np.repeat([0, 1, 2], each)
        with pytest.raises(FitError, match="all training rows of each class are equal"):
            Lda().fit(TrainingRows(noise(3, 4)[target]), target, 3)

    def test_class_means_on_a_line_have_one_direction(self):
        square = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
        rows = np.vstack([square, square + np.array([4, 0]), square + np.array([9, 0])])
        target = np.repeat([0, 1, 2], 4)
        assert exact(Lda(n_components=1), rows, target).shape == (12, 1)
        with pytest.raises(FitError) as caught:
            Lda().fit(TrainingRows(rows), target, 3)
        assert caught.value.message == "2 directions are wanted, but the class means differ in only 1"
        assert caught.value.hint == "write `lda: 1`"

    def test_class_means_that_are_the_same_have_no_direction(self):
        square = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]]) + 0.1
        with pytest.raises(FitError, match="the class means differ in only 0"):
            Lda().fit(TrainingRows(np.vstack([square, 2 * square - 0.1])), np.repeat([0, 1], 4), 2)

    @pytest.mark.parametrize("missing", [0, 1, 2])
    def test_a_class_without_a_training_row_is_refused(self, missing: int):
        rows, target = data_set("iris")
        kept = target != missing
        with pytest.raises(FitError) as caught:
            Lda(n_components=1).fit(TrainingRows(rows[kept]), target[kept], 3)
        assert caught.value.message == f"class number {missing} has no training row"
        assert "stratify" in caught.value.hint

    def test_numbers_too_large_to_compute_with_are_refused(self):
        rows, target = data_set("iris")
        with pytest.raises(FitError, match="too large"):
            Lda().fit(TrainingRows(1e200 * rows), target, 3)

    def test_numbers_too_small_to_square_are_refused(self):
        rows, target = data_set("iris")
        with pytest.raises(FitError, match="too small"):
            Lda().fit(TrainingRows(1e-200 * rows), target, 3)

    @pytest.mark.parametrize("count", [0, -1, 1.5, True, "two"])
    def test_a_number_of_directions_is_whole(self, count: Any):
        (message,) = told({"lda": count})
        assert message.startswith("'n_components' must be")

    def test_the_settled_step_says_how_many_directions_it_has(self):
        rows, target = data_set("iris")
        assert Lda().settled(Lda().fit(TrainingRows(rows), target, 3)) == Lda(n_components=2)


@pytest.mark.parametrize("components", [3, 0.9])
@pytest.mark.parametrize("whiten", [False, True])
def test_pca_by_blocks_is_scikit_learns(components: Any, whiten: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dlrun.components.preprocess._rows.BLOCK_BYTES", 1 << 9)
    random = np.random.default_rng(0)
    rows = random.normal(size=(500, 8)) @ random.normal(size=(8, 8)) + 1e4
    state = Pca(n_components=components, whiten=whiten).fit(TrainingRows(rows), np.zeros(500), None)
    peer = PCA(components, whiten=whiten, svd_solver="full").fit(rows)
    ours = (rows - state["mean"]) @ state["matrix"].T
    np.testing.assert_allclose(ours, peer.transform(rows), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("block", [1 << 9, 1 << 24])
def test_the_rounding_of_float32_adds_no_direction(block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dlrun.components.preprocess._rows.BLOCK_BYTES", block)
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 3)) @ random.normal(size=(3, 10)) + 5
    for dtype in (np.float32, np.float64):
        with pytest.raises(FitError, match="the training rows vary in only 3"):
            Pca(n_components=4, whiten=True).fit(TrainingRows(rows.astype(dtype)), np.zeros(400), None)


def with_relations(random: np.random.Generator, rows: int, offset: float) -> Any:
    """Rows that vary in three directions, in float64: three columns, a copy, a sum, a difference, a constant."""
    three = offset + random.normal(size=(rows, 3)) * [1.0, 3.0, 10.0]
    one, two, three = three.T
    return np.column_stack([one, two, three, one, one + two, 0.5 * three - two, np.full(rows, offset + 0.1)])


CHAINS = [[], [Standardize()], [Minmax()], [Standardize(), Minmax()], [Pca(n_components=3), Minmax()]]


def after(rows: Any, chain: list[Preprocess]) -> TrainingRows:
    """Rows behind fitted steps."""
    made = TrainingRows(rows)
    for step in chain:
        made = made.after(step.build(step.fit(made, NO_TARGET, None)))
    return made


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 100.0, 1e6])
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: "-".join(step.kind for step in chain))
@pytest.mark.parametrize("whiten", [False, True])
def test_columns_that_are_one_but_for_rounding_add_no_direction(dtype: Any, offset: float, chain: Any, whiten: bool):
    if dtype == np.float16 and offset:
        return  # a deviation of 1 is near its rounding there
    exactly = with_relations(np.random.default_rng(2), 600, offset)
    rows = after(exactly.astype(dtype), chain)
    assert np.linalg.matrix_rank(exactly - exactly.mean(axis=0), tol=1e-3) == 3
    state = Pca(n_components=3, whiten=whiten).fit(rows, NO_TARGET, None)
    if rows.numbers > 3:
        with pytest.raises(FitError, match="vary in only 3"):
            Pca(n_components=4, whiten=whiten).fit(rows, NO_TARGET, None)
    peer = PCA(3, whiten=whiten, svd_solver="full").fit(after(exactly, chain).table())
    ours = (rows.table() - state["mean"]) @ state["matrix"].T
    theirs = peer.transform(after(exactly, chain).table())
    noise = 30 * np.finfo(dtype).eps * max(offset, 10) * (20 if whiten else 1)
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours * signs, theirs, rtol=1e-2, atol=max(noise, 1e-6))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 100.0, 1e6])
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: "-".join(step.kind for step in chain))
def test_lda_uses_no_direction_that_is_rounding(dtype: Any, offset: float, chain: Any):
    random = np.random.default_rng(3)
    target = np.arange(600) % 3
    exactly = with_relations(random, 600, offset)
    exactly += (np.eye(3)[target] @ random.normal(size=(3, 3)) * 4) @ np.array(
        [[1, 0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, -1, 0], [0, 0, 1, 0, 0, 0.5, 0]]
    )
    rows = after(exactly.astype(dtype), chain)
    state = Lda().fit(rows, target, 3)
    ours = (rows.table() - state["mean"]) @ state["matrix"].T
    theirs = LinearDiscriminantAnalysis(solver="svd").fit(exactly[:, :3], target).transform(exactly[:, :3])
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours * signs, theirs, atol=0.2 if dtype == np.float32 and offset > 1e3 else 1e-3)


@pytest.mark.parametrize("block", [1 << 9, 1 << 22])
def test_lda_by_blocks_is_scikit_learns(block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dlrun.components.preprocess._rows.BLOCK_BYTES", block)
    rows, target = data_set("wine")
    theirs = LinearDiscriminantAnalysis(solver="svd").fit(rows, target).transform(rows)
    assert same_up_to_sign(exact(Lda(), rows, target), theirs)
