"""The augmenter: what becomes of a row depends on the seed, the epoch, the row and the steps, and on nothing else."""

from __future__ import annotations

from typing import Any, cast

import torch

from dlrun.components.augment import Augmentation
from dlrun.data.augment import Augmenter
from dlrun.language.component import choose

STEPS = [{"random_crop": 2}, "random_horizontal_flip", {"random_rotation": 20}, {"gaussian_noise": 0.1}]
IMAGES = torch.randn(50, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def augmenter(steps: list[Any], seed: int = 1) -> Augmenter:
    return Augmenter([cast(Augmentation, choose("augment", step)) for step in steps], seed)


def an_epoch(augment: Augmenter, epoch: int, batch: int, start: int = 0) -> torch.Tensor:
    """All rows augmented, in the data's order, gone through in another one from batch `start` on."""
    order = torch.randperm(50, generator=torch.Generator().manual_seed(epoch + batch))
    found = torch.full_like(IMAGES, torch.nan)
    for rows in order.split(batch)[start:]:
        found[rows] = augment(IMAGES[rows], epoch, rows)
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
    assert (augmenter(STEPS)(IMAGES, 0, rows + 1) != base).flatten(1).any(1).all()
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


def test_without_steps_a_batch_is_handed_on_as_it_is() -> None:
    assert augmenter([])(IMAGES, 0, torch.arange(50)) is IMAGES


def test_torchs_generator_is_neither_read_nor_moved() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = augmenter(STEPS)(IMAGES, 0, torch.arange(50))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(augmenter(STEPS)(IMAGES, 0, torch.arange(50)), one)
