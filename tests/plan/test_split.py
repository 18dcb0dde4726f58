from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws

from dlrun.components.sources import SourceError
from dlrun.language.experiment import Split
from dlrun.plan.split import Marks, Splits, split_rows
from dlrun.plan.split_draws import Codes
from dlrun.plan.split_sizes import split_sizes

SHARES = st.sampled_from([0.0, 0.05, 0.15, 0.2, 0.3, 0.45])


def sizes_of(splits: Splits) -> tuple[int, int, int]:
    return len(splits.train), len(splits.validation), len(splits.test)


def counts(classes: Any, rows: Any) -> list[int]:
    return np.bincount(classes[rows], minlength=classes.max() + 1).tolist()


@draws(200)
@given(rows=st.integers(1, 300), validation=SHARES, test=SHARES, seed=st.integers(0, 2**63 - 1))
def test_every_row_is_in_one_split_and_the_sizes_are_those_that_check_shows(
    rows: int, validation: float, test: float, seed: int
):
    split = Split(validation=validation, test=test)
    splits = split_rows(None, rows, split, seed)
    sizes = split_sizes(rows, split)
    assert sizes_of(splits) == (sizes.train, sizes.validation, sizes.test)
    everything = np.concatenate([splits.train, splits.validation, splits.test])
    assert sorted(everything.tolist()) == list(range(rows))
    for part in (splits.train, splits.validation, splits.test):
        assert part.dtype == np.int64
        assert all(a < b for a, b in pairwise(part.tolist()))


@draws(500)
@given(
    sizes=st.lists(st.integers(3, 60), min_size=2, max_size=6),
    validation=SHARES,
    test=SHARES,
    seed=st.integers(0, 2**32),
)
def test_stratified_splits_keep_every_classs_share_and_the_exact_sizes(
    sizes: list[int], validation: float, test: float, seed: int
):
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    split = Split(validation=validation, test=test, stratify=True)
    wanted = split_sizes(len(classes), split)
    try:
        splits = split_rows(classes, len(classes), split, seed)
    except SourceError as error:
        assert "too few" in error.message
        assert min(wanted.validation or 99, wanted.test or 99, wanted.train) < len(sizes)
        return
    assert sizes_of(splits) == (wanted.train, wanted.validation, wanted.test)
    everything = np.concatenate([splits.train, splits.validation, splits.test])
    assert sorted(everything.tolist()) == list(range(len(classes)))
    for size, rows in ((wanted.validation, splits.validation), (wanted.test, splits.test)):
        if size:
            assert min(counts(classes, rows)) >= 1
            shares = np.array(sizes) * size / len(classes)
            if min(shares) >= 1 and wanted.train > len(classes) / 2:
                assert (abs(np.array(counts(classes, rows)) - shares) < 1).all()
    assert min(counts(classes, splits.train)) >= 1


def test_the_largest_remainders_get_the_rows_that_are_left():
    # 10 of 100 rows for shares 4.1, 3.3 and 2.6: 4, 3 and 2, and the last row goes to the third class.
    classes = np.repeat([0, 1, 2], [41, 33, 26])
    splits = split_rows(classes, 100, Split(validation=0, test=0.1, stratify=True), 1)
    assert counts(classes, splits.test) == [4, 3, 3]
    assert counts(classes, splits.train) == [37, 30, 23]


def test_a_rare_class_is_in_every_split():
    # Its share of 15 rows is 0.45 of a row.
    classes = np.repeat([0, 1], [97, 3])
    splits = split_rows(classes, 100, Split(stratify=True), 1)
    assert counts(classes, splits.test) == [14, 1]
    assert counts(classes, splits.validation) == [14, 1]
    assert counts(classes, splits.train) == [69, 1]


def test_a_class_with_too_few_rows_is_named_with_its_count():
    classes = np.repeat([0, 1], [98, 2])
    with pytest.raises(SourceError) as caught:
        split_rows(classes, 100, Split(stratify=True), 1, ("cat", "dog"))
    assert caught.value.message == ("class 'dog' has 2 rows, too few to be in each of train, validation, test")
    assert caught.value.at == ("split", "stratify")
    splits = split_rows(classes, 100, Split(stratify=True, validation=0), 1)
    assert counts(classes, splits.test) == [14, 1]


def test_no_row_left_to_train_on_is_refused():
    with pytest.raises(SourceError, match="train has 0 rows, too few for one of each of 2 classes"):
        split_rows(np.arange(6) % 2, 6, Split(stratify=True, validation=0.45, test=0.45), 1)


def test_a_split_smaller_than_the_classes_is_refused():
    with pytest.raises(SourceError) as caught:
        split_rows(np.arange(50) % 10, 50, Split(stratify=True, validation=0.1), 1)
    assert caught.value.message == "validation has 5 rows, too few for one of each of 10 classes"


@pytest.mark.parametrize("stratify", [False, True])
def test_the_seed_decides_and_the_splits_own_seed_comes_first(stratify: bool):
    classes = np.arange(100) % 2

    def test_rows(seed: int, own: int | None = None) -> list[int]:
        split = Split(stratify=stratify, seed=own)
        return split_rows(classes, 100, split, seed).test.tolist()

    assert test_rows(1) == test_rows(1)
    assert test_rows(1) != test_rows(2)
    assert test_rows(1, own=0) == test_rows(2, own=0) == test_rows(0)


def test_classes_do_not_matter_unless_stratified():
    one = split_rows(np.arange(100) % 2, 100, Split(), 1)
    other = split_rows(None, 100, Split(), 1)
    assert (one.test == other.test).all()


def test_a_share_of_0_is_no_split():
    splits = split_rows(None, 10, Split(validation=0, test=0), 1)
    assert sizes_of(splits) == (10, 0, 0)
    splits = split_rows(np.arange(10) % 2, 10, Split(validation=0, test=0, stratify=True), 1)
    assert sizes_of(splits) == (10, 0, 0)


GROUPS = Codes(np.arange(60) // 4, 15, "the column 'place'", "group", "group")
WAYS: dict[str, tuple[dict[str, Any], Marks]] = {
    "at random": ({}, Marks()),
    "by class": ({"stratify": True}, Marks()),
    "by group": ({"group": "place"}, Marks(groups=GROUPS)),
    "by time": ({"time": "place"}, Marks(times=GROUPS)),
    "kept apart": ({"column": "part"}, Marks(apart={"validation": np.arange(3, 9), "test": np.arange(20, 30)})),
    "in folds": ({"folds": 3, "fold": 2}, Marks()),
}


@pytest.mark.parametrize("way", WAYS)
def test_validation_rows_that_are_training_rows_are_drawn_as_ever(way: str) -> None:
    settings, marks = WAYS[way]
    classes = np.arange(60) % 3
    apart, joined = (
        split_rows(classes, 60, Split(**settings, train_on_validation=on), 7, ("a", "b", "c"), marks)
        for on in (False, True)
    )
    assert len(apart.validation) > 0 == len(joined.validation)
    assert np.array_equal(joined.train, np.sort(np.concatenate([apart.train, apart.validation])))
    assert np.array_equal(joined.test, apart.test)
