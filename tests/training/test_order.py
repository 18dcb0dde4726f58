"""The order of the rows in an epoch: a list of them, or computed where it is needed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from dlrun.training import order
from dlrun.training.order import Order, keyed_permutation

CPU = torch.device("cpu")


@pytest.fixture(params=["listed", "computed"])
def _kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "computed":
        monkeypatch.setattr(order, "LISTED", 0)
        monkeypatch.setattr(order, "CHUNK", 64)


@pytest.mark.usefixtures("_kept")
def test_an_order_is_a_permutation_and_a_function_of_seed_and_epoch() -> None:
    found = Order(7, 3, 1000, CPU)
    assert len(found) == 1000
    assert sorted(found.part(0, 1000).tolist()) == list(range(1000))
    torch.manual_seed(99)  # the global generator has no say
    assert torch.equal(found.part(0, 1000), Order(7, 3, 1000, CPU).part(0, 1000))
    assert not torch.equal(found.part(0, 1000), Order(7, 4, 1000, CPU).part(0, 1000))
    assert not torch.equal(found.part(0, 1000), Order(8, 3, 1000, CPU).part(0, 1000))


@pytest.mark.usefixtures("_kept")
def test_a_part_is_the_same_whichever_parts_were_asked_for_before() -> None:
    whole = Order(1, 0, 300, CPU).part(0, 300)
    found = Order(1, 0, 300, CPU)
    for start, stop in ((290, 310), (0, 3), (60, 130), (64, 128), (5, 299)):
        assert torch.equal(found.part(start, stop), whole[start:stop])


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 16, 17, 1000, 9973])
def test_a_computed_order_has_each_row_once(rows: int) -> None:
    assert sorted(keyed_permutation(torch.arange(rows), rows, 5).tolist()) == list(range(rows))


def test_a_computed_order_of_many_rows_needs_only_those_that_are_asked_for() -> None:
    rows = 10**12
    found = Order(0, 0, rows, CPU).part(10**11, 10**11 + 1000)
    assert found.unique().numel() == 1000 and int(found.min()) >= 0 and int(found.max()) < rows
    assert stats.kstest(found.numpy() / rows, "uniform").pvalue > 1e-3


def test_places_of_a_computed_order_do_not_depend_on_each_other() -> None:
    """Over many keys, the pair of rows at two neighbouring places takes each of its values equally often."""
    pairs = np.array([keyed_permutation(torch.arange(2), 5, seed).tolist() for seed in range(4000)])
    counts = np.bincount(pairs[:, 0] * 5 + pairs[:, 1], minlength=25).reshape(5, 5)
    assert (counts.diagonal() == 0).all()
    assert stats.chisquare(counts[~np.eye(5, dtype=bool)]).pvalue > 1e-3
