"""Counts, groups, times, quantiles and folds, held to scikit-learn and pandas, and to what each way promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from strategies import draws

from dlrun.components.sources import SourceError
from dlrun.language.split import Split
from dlrun.plan.split import Marks, Splits, split_rows
from dlrun.plan.split_draws import Codes
from dlrun.plan.strata import quantiles

SEEDS = st.integers(0, 2**63 - 1)


def codes(values: Any, setting: str = "group", word: str = "groups") -> Codes:
    distinct, rows = np.unique(values, return_inverse=True)
    return Codes(rows.reshape(-1), len(distinct), "the column 'by'", word, setting)


def parts_of(splits: Splits) -> tuple[Any, Any, Any]:
    return splits.train, splits.validation, splits.test


def need_each_row_once(splits: Splits, rows: int) -> None:
    assert sorted(np.concatenate(parts_of(splits)).tolist()) == list(range(rows))


def test_a_whole_number_is_a_number_of_rows():
    splits = split_rows(None, 50, Split.read({"test": 20, "validation": 0.5}), 0)
    assert [len(part) for part in parts_of(splits)] == [5, 25, 20]
    one = split_rows(None, 50, Split.read({"test": 1, "validation": 0}), 0)
    assert [len(part) for part in parts_of(one)] == [49, 0, 1]


def test_a_number_draws_the_rows_of_the_same_share():
    by_number = split_rows(None, 40, Split.read({"test": 8, "validation": 10}), 3)
    by_share = split_rows(None, 40, Split.read({"test": 0.2, "validation": 0.25}), 3)
    assert all((one == other).all() for one, other in zip(parts_of(by_number), parts_of(by_share), strict=True))


@draws(300)
@given(sizes=st.lists(st.integers(1, 30), min_size=4, max_size=60), classes=st.integers(1, 4), seed=SEEDS)
def test_no_group_is_in_two_splits_and_the_sizes_are_as_near_as_half_a_group(sizes: list[int], classes: int, seed: int):
    random = np.random.default_rng(seed)
    groups = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    split = Split(group="by", stratify=classes > 1)
    target = np.concatenate([np.arange(classes), random.integers(0, classes, sum(sizes))])[: sum(sizes)]
    assume(len(np.unique(target)) == classes)
    splits = split_rows(target, len(groups), split, seed, marks=Marks(codes(groups)))
    need_each_row_once(splits, len(groups))
    held = [set(groups[rows]) for rows in parts_of(splits)]
    assert all(held)
    assert sum(map(len, held)) == len(sizes)  # so no two have one in common
    wanted = round(0.15 * sum(sizes))
    if classes == 1 and max(sizes) <= wanted and len(sizes) > 10:
        assert abs(len(splits.test) - wanted) <= max(sizes) / 2
        assert abs(len(splits.validation) - wanted) <= max(sizes) / 2


def test_groups_that_are_stratified_keep_the_share_of_each_class():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), 5)
    classes = np.repeat(random.random(200) < 0.1, 5).astype(np.int64)
    shares = []
    for seed in range(20):
        splits = split_rows(classes, 1000, Split(group="by", stratify=True), seed, marks=Marks(codes(groups)))
        shares += [classes[splits.test].mean(), classes[splits.validation].mean()]
    assert max(abs(np.array(shares) - classes.mean())) < 0.02  # a group is a thirtieth of a split


def test_every_group_comes_into_the_test_rows_with_some_seed():
    groups = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 8])
    tested = [split_rows(None, 36, Split(group="by"), seed, marks=Marks(codes(groups))).test for seed in range(60)]
    assert {group for rows in tested for group in groups[rows]} == set(range(8))


def test_fewer_groups_than_splits_are_refused():
    with pytest.raises(SourceError) as caught:
        split_rows(None, 10, Split(group="by"), 0, marks=Marks(codes(np.arange(10) % 2)))
    assert caught.value.message == "the column 'by' has 2 groups, too few for each of train, validation, test"
    assert caught.value.at == ("split", "group")
    with pytest.raises(SourceError) as caught:
        split_rows(None, 10, Split(group="by", folds=4), 0, marks=Marks(codes(np.arange(10) % 3)))
    assert caught.value.message == "the column 'by' has 3 groups, too few for 4 folds"


@draws(300)
@given(times=st.lists(st.integers(0, 30), min_size=3, max_size=80), test=st.integers(0, 20), some=st.integers(0, 20))
def test_the_last_rows_are_the_test_rows_and_a_time_is_in_one_split(times: list[int], test: int, some: int):
    assume(test + some < len(times) and len(set(times)) >= 3)
    split = Split.read({"time": "by", "test": test, "validation": some})
    splits = split_rows(None, len(times), split, 0, marks=Marks(times=codes(times, "time", "times")))
    need_each_row_once(splits, len(times))
    values, before = np.array(times), -1
    for rows in parts_of(splits):
        if len(rows):
            assert values[rows].min() > before
            before = values[rows].max()
    assert len(splits.train) and bool(len(splits.test)) == bool(test) and bool(len(splits.validation)) == bool(some)
    # By trying every boundary that leaves a time for each of the others.
    later = sorted(set(times))[1 + bool(some) :]
    if test:
        assert abs(len(splits.test) - test) == min(abs((values >= start).sum() - test) for start in later)


def test_of_two_boundaries_as_near_the_test_is_the_smaller():
    times = [0, 0, 1, 1, 2, 2]
    split = Split.read({"time": "by", "test": 3, "validation": 0})
    assert split_rows(None, 6, split, 0, marks=Marks(times=codes(times))).test.tolist() == [4, 5]


@draws(100)
@given(rows=st.integers(20, 300), seed=SEEDS, fold=st.integers(1, 5))
def test_a_target_of_numbers_is_stratified_by_the_quantiles_of_pandas(rows: int, seed: int, fold: int):
    values = np.random.default_rng(seed).normal(size=rows).round(fold)  # with more or fewer values that are equal
    found, names = quantiles(values, Split())
    expected = pd.qcut(values, len(names), labels=False, duplicates="drop")
    if len(np.unique(values)) > 10:
        assert found.tolist() == np.asarray(expected).tolist()
    splits = split_rows(found, rows, Split(stratify=True), seed, names)
    for part in parts_of(splits):
        assert len(set(found[part])) == len(names)


def test_a_target_of_few_numbers_has_each_of_them_as_a_class():
    found, names = quantiles(np.array([0.0, 5.0, 5.0, 0.0, 2.0] * 20), Split())
    assert (found.tolist(), len(names)) == ([0, 2, 2, 0, 1] * 20, 3)


def test_a_target_without_two_quantiles_is_refused():
    with pytest.raises(SourceError) as caught:
        quantiles(np.array([0.0] * 99 + [1.0]), Split())
    assert caught.value.message == ("the target has no two quantiles with a row for each split: 100 rows, 99 of them 0")


@draws(60)
@given(rows=st.integers(10, 200), folds=st.integers(2, 7), seed=SEEDS)
def test_each_row_is_tested_in_one_fold_of_the_size_that_scikit_learn_gives_it(rows: int, folds: int, seed: int):
    drawn = [split_rows(None, rows, Split(folds=folds, fold=fold), seed) for fold in range(1, folds + 1)]
    for splits in drawn:
        need_each_row_once(splits, rows)
        assert len(splits.validation) == round(0.15 * (rows - len(splits.test)))
    assert sorted(np.concatenate([splits.test for splits in drawn]).tolist()) == list(range(rows))
    assert [len(splits.test) for splits in drawn] == [len(test) for _, test in KFold(folds).split(np.zeros(rows))]


@draws(60)
@given(counts=st.lists(st.integers(6, 40), min_size=2, max_size=5), folds=st.integers(2, 5), seed=SEEDS)
def test_the_folds_have_the_classes_that_scikit_learn_gives_them(counts: list[int], folds: int, seed: int):
    classes = np.repeat(np.arange(len(counts)), counts)
    assume(round(0.15 * (len(classes) - len(classes) / folds - 1)) >= len(counts))
    split = {"stratify": True, "folds": folds}
    drawn = [split_rows(classes, len(classes), Split(**split, fold=fold), seed) for fold in range(1, folds + 1)]
    found = [np.bincount(classes[splits.test], minlength=len(counts)).tolist() for splits in drawn]
    theirs = StratifiedKFold(folds).split(classes, classes)
    assert found == [np.bincount(classes[test], minlength=len(counts)).tolist() for _, test in theirs]
    assert all(len(set(classes[part])) == len(counts) for splits in drawn for part in parts_of(splits))


@draws(60)
@given(sizes=st.lists(st.integers(1, 30), min_size=8, max_size=40), folds=st.integers(2, 4), seed=SEEDS)
def test_folds_of_groups_are_as_large_as_those_of_scikit_learn(sizes: list[int], folds: int, seed: int):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    marks = Marks(codes(groups))
    split = {"group": "by", "folds": folds, "validation": 0.0}
    drawn = [split_rows(None, len(groups), Split(**split, fold=k + 1), seed, marks=marks) for k in range(folds)]
    assert sorted(np.concatenate([splits.test for splits in drawn]).tolist()) == list(range(len(groups)))
    for splits in drawn:
        assert sum(len(set(groups[part])) for part in parts_of(splits)) == len(sizes)
    theirs = GroupKFold(folds).split(groups, groups=groups)
    assert sorted(len(splits.test) for splits in drawn) == sorted(len(test) for _, test in theirs)


def test_folds_of_groups_that_are_stratified_share_out_each_class():
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(100), random.integers(1, 9, 100))
    classes = (random.random(100) < 0.2).astype(np.int64)[groups]
    split = {"group": "by", "stratify": True, "folds": 5}
    for fold in range(1, 6):
        marks = Marks(codes(groups))
        test = split_rows(classes, len(groups), Split(**split, fold=fold), 0, marks=marks).test
        assert abs(np.bincount(classes[test]) - np.bincount(classes) / 5).max() <= 4  # half of the largest group
    alone = {"group": "by", "stratify": True, "folds": 5, "fold": 2}
    again = split_rows(classes, len(groups), Split(**alone), 0, marks=Marks(codes(groups)))
    need_each_row_once(again, len(groups))


def test_a_class_with_fewer_rows_than_folds_is_named():
    with pytest.raises(SourceError) as caught:
        split_rows(np.repeat([0, 1], [40, 3]), 43, Split(folds=5, stratify=True), 0, ("cat", "dog"))
    assert caught.value.message == "class 'dog' has 3 rows, too few to be in each of 5 folds"


def test_rows_that_are_kept_apart_are_not_drawn_and_shares_are_of_the_others():
    marks = Marks(apart={"test": np.arange(80, 100)})
    splits = split_rows(None, 100, Split(), 0, marks=marks)
    need_each_row_once(splits, 100)
    assert splits.test.tolist() == list(range(80, 100))
    assert (len(splits.validation), len(splits.train)) == (12, 68)


def test_a_group_with_rows_that_are_kept_apart_and_others_is_refused():
    marks = Marks(codes(np.arange(100) // 30), apart={"test": np.arange(80, 100)})
    with pytest.raises(SourceError, match="the group of row 60 in the column 'by' is in the test rows"):
        split_rows(None, 100, Split(group="by"), 0, marks=marks)
