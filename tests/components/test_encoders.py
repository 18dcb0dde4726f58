"""The encoders against scikit-learn, their errors, and the way out that each error tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from columns import column_of, encoded, matrix, step_of
from pydantic import ValidationError
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from dlrun.components.preprocess import Column, EncodeError
from dlrun.components.sources import SourceError
from dlrun.language.component import choose, choose_some, setting_problems
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.plan.data_info import DataInfo
from dlrun.plan.describe_data import describe

RANDOM = np.random.default_rng(4)
NUMBERS = np.where(RANDOM.random(80) < 0.25, np.nan, RANDOM.integers(-4, 5, 80) / 2)
WORDS = np.array(["delta", "alpha", "Épée", "beta", "gamma", "a b"], object)
TEXTS = WORDS[np.minimum(RANDOM.geometric(0.4, 80) - 1, 5)]
GAPS = np.where(RANDOM.random(80) < 0.25, None, TEXTS)
TRAIN, OTHER = slice(0, 50), slice(50, 80)


def texts_of(column: Column) -> list[str]:
    assert column.codes is not None
    return [column.texts[code] for code in column.codes]


class TestImpute:
    @pytest.mark.parametrize("method", ["mean", "median", "most_frequent"])
    @pytest.mark.parametrize("rows", [TRAIN, OTHER, slice(None)])
    def test_numbers_are_what_scikit_learn_fills_in(self, method: str, rows: slice):
        theirs = SimpleImputer(strategy=method).fit(NUMBERS[TRAIN, None]).transform(NUMBERS[rows, None])
        ours = encoded({"impute": method}, NUMBERS[TRAIN], NUMBERS[rows])
        assert np.allclose(matrix(ours), theirs, rtol=0, atol=1e-15)

    @pytest.mark.parametrize("value", [0, -1.5, 7e30])
    def test_a_constant_number_is_what_scikit_learn_fills_in(self, value: float):
        imputer = SimpleImputer(strategy="constant", fill_value=float(value)).fit(NUMBERS[TRAIN, None])
        ours = encoded({"impute": {"with": "constant", "value": value}}, NUMBERS[TRAIN], NUMBERS[OTHER])
        assert (matrix(ours) == imputer.transform(NUMBERS[OTHER, None])).all()

    @pytest.mark.parametrize("settings", [{"with": "most_frequent"}, {"with": "constant", "value": "none of them"}])
    def test_texts_are_what_scikit_learn_fills_in(self, settings: dict[str, str]):
        imputer = SimpleImputer(strategy=settings["with"], fill_value=settings.get("value"), missing_values=None).fit(
            GAPS[TRAIN, None]
        )
        (ours,) = encoded({"impute": settings}, GAPS[TRAIN], GAPS[OTHER])
        assert texts_of(ours) == imputer.transform(GAPS[OTHER, None])[:, 0].tolist()

    @pytest.mark.parametrize("values", [["b", "a", "b", "a", None], ["Z", "a", "é", None, None]])
    def test_of_equally_frequent_texts_the_first_is_taken_as_scikit_learn_does(self, values: list[Any]):
        rows = np.array(values, object)
        imputer = SimpleImputer(strategy="most_frequent", missing_values=None).fit(rows[:, None])
        (ours,) = encoded({"impute": "most_frequent"}, rows, rows)
        assert texts_of(ours) == imputer.transform(rows[:, None])[:, 0].tolist()

    @pytest.mark.parametrize("values", [NUMBERS, GAPS])
    def test_the_indicator_is_scikit_learns(self, values: Any):
        missing = None if values.dtype == object else np.nan
        indicator = MissingIndicator(missing_values=missing).fit(values[TRAIN, None])
        _, ours = encoded({"impute": {"with": "most_frequent", "indicator": True}}, values[TRAIN], values[OTHER])
        assert ours.name == "size missing"
        assert (matrix([ours]) == indicator.transform(values[OTHER, None])).all()

    def test_no_indicator_comes_of_a_column_that_lacks_no_value_in_a_training_row(self):
        full = np.arange(5.0)
        indicator = MissingIndicator(error_on_new=False).fit(full[:, None])
        gaps = np.array([np.nan, 1.0])
        ours = encoded({"impute": {"indicator": True}}, full, gaps)
        assert matrix(ours[1:] or [Column("", np.empty(0))]).size == indicator.transform(gaps[:, None]).size == 0
        assert matrix(ours)[:, 0].tolist() == [2.0, 1.0]


class TestOneHot:
    @pytest.mark.parametrize("minimum", [1, 2, 5, 9])
    def test_the_columns_are_scikit_learns_and_the_last_counts_others(self, minimum: int):
        new = np.array([*TEXTS[OTHER], "never", "seen"], object)
        theirs = OneHotEncoder(
            min_frequency=minimum, handle_unknown="infrequent_if_exist", sparse_output=False, dtype=float
        ).fit(TEXTS[TRAIN, None])
        rare = [] if theirs.infrequent_categories_[0] is None else theirs.infrequent_categories_[0].tolist()
        often = [category for category in theirs.categories_[0] if category not in rare]
        ours = encoded({"one_hot": {"minimum": minimum}}, TEXTS[TRAIN], new)
        assert [column.name for column in ours] == [*(f"size={category}" for category in often), "size=(other)"]
        expected = theirs.transform(new[:, None])
        assert (matrix(ours)[:, : len(often)] == expected[:, : len(often)]).all()
        assert (matrix(ours)[:, -1] == 1 - expected[:, : len(often)].sum(axis=1)).all()
        if rare:
            assert (matrix(ours) == expected).all()

    def test_a_rare_category_is_there_for_one_minimum_and_not_for_another(self):
        rows = np.array(["often"] * 5 + ["rare"] * 2, object)
        assert [column.name for column in encoded({"one_hot": {"minimum": 2}}, rows, rows)] == [
            "size=often",
            "size=rare",
            "size=(other)",
        ]
        assert matrix(encoded({"one_hot": {"minimum": 3}}, rows, rows)).tolist() == [[1, 0]] * 5 + [[0, 1]] * 2


class TestOrdinal:
    def test_the_numbers_are_scikit_learns(self):
        new = np.array([*TEXTS[OTHER], "never seen"], object)
        count = len(set(TEXTS[TRAIN]))
        theirs = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=count).fit(TEXTS[TRAIN, None])
        assert (matrix(encoded("ordinal", TEXTS[TRAIN], new)) == theirs.transform(new[:, None])).all()

    def test_the_order_of_the_spec_is_that_of_scikit_learn(self):
        order = ["gamma", "a b", *(word for word in WORDS if word not in ("gamma", "a b"))]
        theirs = OrdinalEncoder(categories=[order]).fit(TEXTS[TRAIN, None])
        ours = encoded({"ordinal": {"order": order}}, TEXTS[TRAIN], TEXTS[OTHER])
        assert (matrix(ours) == theirs.transform(TEXTS[OTHER, None])).all()

    def test_categories_that_are_all_numbers_are_in_the_order_of_their_sizes(self):
        rows = np.array(["10", "9", "100", "9"], object)
        theirs = OrdinalEncoder().fit_transform(rows.astype(float)[:, None])
        assert (matrix(encoded("ordinal", rows, rows)) == theirs).all()


class TestErrors:
    @pytest.mark.parametrize(
        ("written", "values", "message", "hint"),
        [
            (
                "impute",
                [np.nan, np.nan],
                "the column 'size' has no value in any training row",
                "`with: constant`, and a `value`, or leave the column out",
            ),
            (
                {"impute": "most_frequent"},
                [None, None],
                "the column 'size' has no value in any training row",
                "`with: constant`, and a `value`, or leave the column out",
            ),
            (
                {"impute": "median"},
                ["a", None],
                "texts, such as the column 'size', have no median",
                "write `with: most_frequent` or `with: constant`",
            ),
            (
                {"impute": {"with": "constant", "value": "none"}},
                [1.0, np.nan],
                "the column 'size' is of numbers, and `value` is 'none'",
                "write a `value` of the column's type",
            ),
            (
                {"impute": {"with": "constant", "value": 3}},
                ["a", None],
                "the column 'size' is of texts, and `value` is 3",
                "write a `value` of the column's type",
            ),
            (
                {"one_hot": {"minimum": 3}},
                ["a", "b", "b"],
                "no category of the column 'size' has 3 training rows",
                "lower `minimum`",
            ),
        ],
    )
    def test_what_cannot_be_learned_is_told(self, written: Any, values: list[Any], message: str, hint: str):
        with pytest.raises(EncodeError) as caught:
            step_of(written).learn(column_of(values))
        assert (caught.value.message, caught.value.hint) == (message, hint)

    def test_a_category_that_the_order_lacks_is_told_with_its_row(self):
        step = step_of({"ordinal": {"order": ["small", "large"]}})
        column = column_of(["small", "large", "huge"])
        with pytest.raises(EncodeError) as caught:
            step.encode(column, step.learn(column))
        assert caught.value.message == "`order` does not list this category"
        assert (caught.value.hint, caught.value.row) == ("add it where it belongs", 2)

    @pytest.mark.parametrize("kind", ["one_hot", "ordinal"])
    def test_a_row_without_a_category_is_told(self, kind: str):
        step = step_of(kind)
        column = column_of(["a", None])
        with pytest.raises(EncodeError) as caught:
            step.encode(column, step.learn(column))
        assert caught.value.message == "each row needs a category"
        hint = "`impute: {columns: size, with: most_frequent}` before this step, or `with: constant`"
        assert (caught.value.hint, caught.value.row) == (hint, 1)

    @pytest.mark.parametrize("value", [True, None, [1], {"a": 1}, float("nan"), float("inf"), 10**400])
    def test_a_constant_is_a_number_or_a_text(self, value: Any):
        with pytest.raises(ValidationError) as caught:
            choose("preprocess", {"impute": {"with": "constant", "value": value}})
        assert "'value' is a number that float32 has, or a text; received" in setting_problems(caught.value)[0].message


LOSS = as_tuple(choose_some("losses", ["cross_entropy"]))


def described(folder: Path, cells: list[str], *steps: Any, **settings: Any) -> DataInfo:
    """A table of the column `size`, one of numbers and one of classes, all rows for training."""
    lines = [f"{cell},{row},{'ab'[row % 2]}" for row, cell in enumerate(cells)]
    (folder / "rows.csv").write_text("\n".join(["size,number,y", *lines]))
    section = {"target": "y", "split": {"validation": 0, "test": 0}, "source": {"csv": "rows.csv"}}
    return describe(DataSection.read({**section, **settings, "preprocess": steps}), LOSS, folder)


CONSTANT = {"impute": {"columns": "size", "with": "constant", "value": "absent"}}
ONE_HOT = {"one_hot": {"columns": "size"}}
NO_VALUE = ["", "", "", ""]
GAPPY = ["a", "b", "NA", "b"]
NUMBERED = ["1", "2", "", "2"]


@pytest.mark.parametrize(
    ("cells", "wrong", "right"),
    [
        (NUMBERED, [{"impute": {"columns": "size", "with": "constant", "value": "none"}}], None),
        (GAPPY, [ONE_HOT], [{"impute": {"columns": "size", "with": "most_frequent"}}, ONE_HOT]),
        (GAPPY, [ONE_HOT], [CONSTANT, ONE_HOT]),
        (GAPPY, [{"ordinal": {"columns": "size"}}], [CONSTANT, {"ordinal": {"columns": "size"}}]),
        (GAPPY, [{"impute": {"columns": "size", "with": "median"}}, ONE_HOT], [CONSTANT, ONE_HOT]),
        (["a", "b", "c", "a"], [{"one_hot": {"minimum": 3}}], [{"one_hot": {"minimum": 2}}]),
        (["a", "b", "c", "a"], [{"ordinal": {"order": ["a", "b"]}}], [{"ordinal": {"order": ["a", "b", "c"]}}]),
        (GAPPY, [CONSTANT], [CONSTANT, ONE_HOT]),
        (
            ["a", "b", "c", "a"],
            ["one_hot", {"impute": {"columns": "number"}}, "ordinal"],
            ["one_hot", {"impute": {"columns": "number"}}],
        ),
    ],
)
def test_a_step_that_cannot_act_is_refused_and_its_hint_works(
    tmp_path: Path, cells: list[str], wrong: list[Any], right: list[Any] | None
):
    with pytest.raises(SourceError) as caught:
        described(tmp_path, cells, *wrong)
    assert caught.value.message and caught.value.hint
    fixed = right or [{"impute": {"columns": "size", "with": "constant", "value": 4}}]
    assert np.isfinite(described(tmp_path, cells, *fixed).inputs("input")).all()


def test_a_column_without_any_value_is_refused_and_both_ways_out_work(tmp_path: Path):
    with pytest.raises(SourceError, match="'size' has no value in any training row"):
        described(tmp_path, NO_VALUE, {"impute": {"columns": "size"}})
    constant = {"impute": {"columns": "size", "with": "constant", "value": 4}}
    assert described(tmp_path, NO_VALUE, constant).inputs("input")[:, 0].tolist() == [4, 4, 4, 4]
    assert described(tmp_path, NO_VALUE, features=("number",)).features["input"].shape == (1,)


def test_a_gap_is_told_with_its_line(tmp_path: Path):
    with pytest.raises(SourceError) as caught:
        described(tmp_path, GAPPY, ONE_HOT)
    assert "rows.csv:4" in caught.value.message
    assert "each row needs a category" in caught.value.message


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [ONE_HOT, {"ordinal": {"columns": "size"}}],
            "ordinal takes texts, and one_hot, which comes before it, makes numbers of 'size'",
        ),
        (
            [{"ordinal": {"columns": "size"}}, {"date": {"columns": "size"}}],
            "date takes texts, and ordinal, which comes before it, makes numbers of 'size'",
        ),
    ],
)
def test_a_step_for_texts_after_one_that_makes_numbers_of_them_is_told(tmp_path: Path, steps: list[Any], message: str):
    with pytest.raises(SourceError) as caught:
        described(tmp_path, ["a", "b", "a", "b"], *steps)
    assert (caught.value.message, caught.value.at) == (message, ("preprocess", 1))
    assert caught.value.hint == "keep one of them for this column"


def test_a_number_of_rows_and_an_order_are_not_given_together():
    with pytest.raises(ValidationError) as caught:
        choose("preprocess", {"ordinal": {"order": ["a", "b"], "minimum": 2}})
    message = "`order` lists the categories, so that `minimum` has nothing to do; remove one of them"
    assert setting_problems(caught.value)[0].message == message
