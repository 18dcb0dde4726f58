"""The parts of the loop."""

import math
from typing import Any

import pytest
import torch

from dlrun.data.batches import Batch
from dlrun.language.component import choose
from dlrun.modules.random_streams import nth
from dlrun.plan.answers import Answer
from dlrun.plan.length import evaluation_batch
from dlrun.plan.losses import Term
from dlrun.training.loss_totals import LossError, LossTotals
from dlrun.training.objective import Objective, Pairing
from dlrun.training.state import TrainingState


def objective(*names: str) -> Objective:
    """One loss, or several by their names."""
    mse: Any = choose("losses", "mse")
    return Objective([Term(mse, name, Answer("y"), "", name, False, "") for name in names or ("y",)], Pairing({}))


def test_seeds_of_neighbouring_epochs_and_seeds_do_not_meet() -> None:
    assert len({nth(seed, epoch) >> 1 for seed in range(100) for epoch in range(100)}) == 10_000
    assert all(0 <= nth(seed, 5) >> 1 < 2**63 for seed in (0, 1, 2**63 - 1))


def test_losses_are_averaged_over_rows_and_read_in_order_when_the_buffer_is_full(monkeypatch) -> None:
    monkeypatch.setattr("dlrun.training.loss_totals.MOST", 2)
    losses = LossTotals(TrainingState(), objective(), penalized=True)
    for value, rows in ((1.0, 4), (2.0, 4), (3.0, 2)):
        losses.add([torch.tensor(value), torch.tensor(0.5)], rows)
    assert losses.steps == 2  # the third is not read yet
    losses.read()
    assert losses.mean() == pytest.approx((4 + 8 + 6) / 10)
    assert losses.metrics() == {"train/loss": losses.mean(), "train/penalty": 0.5}


def test_each_of_several_losses_is_averaged_over_rows_and_the_penalty_over_steps() -> None:
    losses = LossTotals(TrainingState(), objective("digit/mse", "image/l1"), penalized=True)
    for values, rows in (([1.0, 2.0, 4.0, 0.5], 3), ([2.0, 6.0, 0.0, 1.5], 1)):
        losses.add([torch.tensor(value) for value in values], rows)
    losses.read()
    assert losses.metrics() == {
        "train/loss": (1 * 3 + 2) / 4,
        "train/digit/mse": (2 * 3 + 6) / 4,
        "train/image/l1": 4 * 3 / 4,
        "train/penalty": (0.5 + 1.5) / 2,
    }


def test_batches_of_a_step_count_as_one_step() -> None:
    losses = LossTotals(TrainingState(epoch=2), objective(), penalized=True)
    for value, penalty, rows, share in ((1.0, 3.0, 8, 0.8), (2.0, 0.5, 2, 0.2), (3.0, 1.5, 2, 1.0)):
        losses.add([torch.tensor(value), torch.tensor(penalty)], rows, share)
    losses.read()
    assert losses.metrics() == {"train/loss": pytest.approx(18 / 12), "train/penalty": pytest.approx((2.5 + 1.5) / 2)}
    for _ in range(7):
        losses.add([torch.tensor(1.0), torch.tensor(0.0)], 1, 1 / 7)
    losses.add([torch.tensor(math.nan), torch.tensor(0.0)], 1, 1 / 7)
    with pytest.raises(LossError, match="nan in epoch 3, step 4"):
        losses.read()


def test_a_loss_whose_rows_count_unequally_is_averaged_by_what_counts() -> None:
    """With the weights 1 and 3, and a class that does not count: by hand, over batches of different sizes."""
    loss: Any = choose("losses", "cross_entropy")
    term = Term(loss, "y", Answer("y"), "", "cross_entropy", False, "", weight=(1.0, 3.0))
    output = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    classes = torch.tensor([0, 1, -100, 1, 1])
    each = torch.nn.functional.cross_entropy(output, classes.clamp(min=0), reduction="none")
    weights = torch.tensor([1.0, 3.0, 0.0, 3.0, 3.0])
    found, state = Objective([term], Pairing({})), TrainingState()
    totals = LossTotals(state, found)
    for rows in (slice(0, 1), slice(1, 3), slice(3, 5), slice(2, 3)):  # nothing counts in the last one
        batch = Batch((torch.zeros(rows.stop - rows.start, 1),), {"y": classes[rows]})
        totals.add(found(output[rows], batch), len(batch))
    totals.read()
    assert totals.mean() == pytest.approx(float((each * weights).sum() / weights.sum()), rel=1e-6)


def test_of_several_losses_each_is_averaged_by_what_counts_in_it() -> None:
    loss: Any = choose("losses", {"cross_entropy": {"coefficient": 0.5}})
    mse: Any = choose("losses", "mse")
    uneven = Term(loss, "a", Answer("a"), "", "a", False, "", weight=(1.0, 3.0), wants="classes")
    found = Objective([uneven, Term(mse, "b", Answer("b"), "", "b", False, "")], Pairing({}))
    logits, classes = torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1, 1])
    numbers, wanted = torch.tensor([[1.0], [2.0], [4.0]]), torch.zeros(3, 1)
    whole = torch.nn.functional.cross_entropy(logits, classes, torch.tensor([1.0, 3.0])).item()
    totals = LossTotals(TrainingState(), found)
    for rows in (slice(0, 1), slice(1, 3)):
        batch = Batch((torch.zeros(rows.stop - rows.start, 1),), {"a": classes[rows], "b": wanted[rows]})
        totals.add(found({"a": logits[rows], "b": numbers[rows]}, batch), len(batch))
    totals.read()
    again = LossTotals(TrainingState(), found)
    again.load(totals.as_data())
    for one in (totals, again):
        assert one.metrics() == {
            "train/loss": pytest.approx(0.5 * whole + 7),
            "train/a": pytest.approx(whole),
            "train/b": pytest.approx((1 + 4 + 16) / 3),
        }


def test_losses_that_were_kept_halfway_go_on_to_the_same_means() -> None:
    whole, first, second = (LossTotals(TrainingState(), objective("a", "b")) for _ in range(3))
    rows = [([torch.tensor(0.1 * step), torch.tensor(1.0 / step), torch.tensor(0.3)], step) for step in range(1, 5)]
    for found, count in rows:
        whole.add(found, count)
    for found, count in rows[:2]:
        first.add(found, count)
    second.load(first.as_data())
    for found, count in rows[2:]:
        second.add(found, count)
    whole.read()
    second.read()
    assert (second.metrics(), second.steps) == (whole.metrics(), 4)


def test_a_loss_that_is_not_finite_is_reported_with_its_own_step() -> None:
    losses = LossTotals(TrainingState(epoch=2), objective())
    for value in (1.0, 2.0, math.nan, 4.0):
        losses.add([torch.tensor(value)], 1)
    with pytest.raises(LossError, match="nan in epoch 3, step 3"):
        losses.read()


def test_nothing_is_read_before_the_first_look() -> None:
    assert math.isnan(LossTotals(TrainingState(), objective()).mean())


@pytest.mark.parametrize(("batch", "size"), [(1, 4), (64, 256), (1000, 1024), (5000, 5000)])
def test_more_rows_at_a_time_fit_without_training(batch, size) -> None:
    assert evaluation_batch(batch) == size
