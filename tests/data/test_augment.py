"""The augmenter: what becomes of a row depends on the seed, the epoch, the row and the steps, and on nothing else."""

from __future__ import annotations

from typing import Any, cast

import torch
from scipy import stats

from dlrun.components.augment import RowAugmentation
from dlrun.data.augment import Augmenter
from dlrun.data.batches import Batch
from dlrun.data.rows import InMemory
from dlrun.language.component import choose

STEPS = [{"random_crop": 2}, "random_horizontal_flip", {"random_rotation": 20}, {"gaussian_noise": 0.1}]
IMAGES = torch.randn(50, 3, 12, 10, generator=torch.Generator().manual_seed(0))


LABELS = torch.randint(0, 3, (50,), generator=torch.Generator().manual_seed(1))
NUMBERS = torch.randn(50, 2, generator=torch.Generator().manual_seed(2))
MIXING = [{"random_crop": 2}, {"swap_noise": 0.1}, {"mixup": 1.0}, "random_horizontal_flip", {"cutmix": {"p": 0.7}}]


class Images:
    """The steps on the images alone."""

    def __init__(self, steps: list[Any], seed: int = 1):
        self.augment = steps_of(steps, seed)

    def __call__(self, x: torch.Tensor, epoch: int, rows: torch.Tensor) -> torch.Tensor:
        return self.augment(InMemory(Batch((x,), {}), ""), epoch, rows).inputs[0]


def steps_of(steps: list[Any], seed: int = 1, **targets: Any) -> Augmenter:
    return Augmenter([cast(RowAugmentation, choose("augment", step)) for step in steps], ["image"], seed, **targets)


def augmenter(steps: list[Any], seed: int = 1) -> Images:
    return Images(steps, seed)


def an_epoch(augment: Images, epoch: int, batch: int, start: int = 0) -> torch.Tensor:
    """All rows augmented, in the data's order, gone through in another one from batch `start` on."""
    order = torch.randperm(50, generator=torch.Generator().manual_seed(epoch + batch))
    found = torch.full_like(IMAGES, torch.nan)
    for rows in order.split(batch)[start:]:
        found[rows] = augment(IMAGES, epoch, rows)
    return found


def test_batches_of_any_size_and_order_give_each_row_the_same_numbers() -> None:
    whole = an_epoch(augmenter(STEPS), 3, 50)
    for batch in (1, 7, 32):
        assert torch.equal(an_epoch(augmenter(STEPS), 3, batch), whole)


def test_starting_in_the_middle_of_a_later_epoch_gives_the_rows_what_they_would_have_had() -> None:
    left_alone = augmenter(STEPS)
    epochs = [an_epoch(left_alone, epoch, 8) for epoch in range(4)]
    resumed = an_epoch(augmenter(STEPS), 3, 8, start=4)
    seen = ~resumed.isnan().flatten(1).any(1)
    assert seen.sum() == 50 - 4 * 8
    assert torch.equal(resumed[seen], epochs[3][seen])


def test_seeds_epochs_rows_and_places_in_the_list_each_make_a_difference() -> None:
    rows = torch.arange(50)
    base = augmenter(STEPS)(IMAGES, 0, rows)
    for other in (augmenter(STEPS, seed=2)(IMAGES, 0, rows), augmenter(STEPS)(IMAGES, 1, rows)):
        assert (other != base).flatten(1).any(1).all()
    assert (augmenter(STEPS)(IMAGES.roll(1, 0), 0, rows).roll(-1, 0) != base).flatten(1).any(1).all()
    noise = augmenter([{"gaussian_noise": 1.0}])(IMAGES, 0, rows) - IMAGES
    twice = augmenter([{"gaussian_noise": 1.0}, {"gaussian_noise": 1.0}])(IMAGES, 0, rows) - IMAGES
    assert abs(twice.var() - 2 * noise.var()) < 0.1  # were they the same draws, it would be 4 times


def test_steps_act_in_order() -> None:
    rows = torch.arange(50)
    constant = {"random_crop": {"padding": 3, "fill": 1.0}}
    doubled = augmenter([constant, {"brightness": [2.0, 2.0]}])(IMAGES * 0, 0, rows)
    after = augmenter([{"brightness": [2.0, 2.0]}, constant])(IMAGES * 0, 0, rows)
    assert doubled.unique().tolist() == [0, 2]
    assert after.unique().tolist() == [0, 1]


def test_without_steps_rows_are_as_they_are() -> None:
    rows = torch.tensor([3, 1, 3])
    assert torch.equal(augmenter([])(IMAGES, 0, rows), IMAGES[rows])


def test_torchs_generator_is_neither_read_nor_moved() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = augmenter(STEPS)(IMAGES, 0, torch.arange(50))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(augmenter(STEPS)(IMAGES, 0, torch.arange(50)), one)


# -- partners


def mixed(steps: list[Any], rows: torch.Tensor, epoch: int = 0) -> Batch:
    """Rows with a target of classes, one of numbers and a binary one."""
    train = Batch((IMAGES,), {"kind": LABELS, "size": NUMBERS, "late": (LABELS == 0).float()[:, None]})
    return steps_of(steps, classes={"kind": 4}, binary=["late"])(InMemory(train, ""), epoch, rows)


def test_mixed_rows_and_their_targets_are_the_same_alone_in_any_batch_and_in_any_order() -> None:
    whole = mixed(MIXING, torch.arange(50), 2)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    for batch in (1, 7, 32):
        for rows in order.split(batch):
            some = mixed(MIXING, rows, 2)
            assert torch.equal(some.inputs[0], whole.inputs[0][rows])
            for name, target in whole.targets.items():
                assert torch.equal(some.targets[name], target[rows])
    other = mixed(MIXING, torch.arange(50), 3)
    assert (other.inputs[0] != whole.inputs[0]).flatten(1).any(1).all()


def test_a_row_is_mixed_with_what_its_partner_is_after_the_steps_before() -> None:
    before = [{"random_crop": 2}, {"gaussian_noise": 0.1}]
    rows = torch.arange(50)
    plain, out = mixed(before, rows), mixed([*before, {"mixup": 1.0}], rows)
    own, found = plain.inputs[0].double(), out.inputs[0].double()
    for row in range(50):
        # On the line from the row to one of the others, at the share by which the targets are mixed too.
        away, direction = found[row] - own[row], own - own[row]
        along = (away * direction).sum((1, 2, 3)) / direction.square().sum((1, 2, 3))
        missed = (away - along.view(-1, 1, 1, 1) * direction).abs().amax((1, 2, 3))
        missed[row] = torch.inf  # as its own partner a row does not change, and lies on every line
        partner = int(missed.argmin())
        assert missed[partner] < 1e-5
        share = 1 - along[partner].item()
        size = share * NUMBERS[row] + (1 - share) * NUMBERS[partner]
        assert torch.allclose(out.targets["size"][row], size, atol=1e-5)
        expected = torch.zeros(4)
        expected[LABELS[row]] += share
        expected[LABELS[partner]] += 1 - share
        assert torch.allclose(out.targets["kind"][row], expected, atol=1e-5)
        assert abs(out.targets["late"][row, 0].item() - expected[0].item()) < 1e-5


def test_partners_are_any_rows_equally_often() -> None:
    rows = torch.arange(50)
    marks = InMemory(Batch((rows.float().view(-1, 1),), {}), "")
    swap = steps_of([{"swap_noise": 1.0}])
    seen = torch.cat([swap(marks, epoch, rows).inputs[0].flatten() for epoch in range(60)]).long()
    assert stats.chisquare(seen.bincount(minlength=50).numpy()).pvalue > 1e-4


def test_metrics_compare_with_the_class_of_the_largest_share() -> None:
    batch = mixed([{"mixup": 1.0}], torch.arange(50))
    assert torch.equal(batch.exact["kind"], batch.targets["kind"].argmax(1))
    assert torch.equal(batch.exact["late"], (batch.targets["late"] >= 0.5).float())
    assert "size" not in batch.exact
    assert (batch.targets["kind"].amax(1) < 1).any()


def test_without_a_mix_targets_stay_what_they_are() -> None:
    batch = mixed([{"swap_noise": 0.5}, {"gaussian_noise": 1.0}], torch.arange(50))
    assert torch.equal(batch.targets["kind"], LABELS)
    assert not batch.exact
