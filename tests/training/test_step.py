"""One step of training: the gradients that are scaled down."""

from __future__ import annotations

import pytest
import torch

from dlrun.language.experiment import TrainSection
from dlrun.training.step import Mean, clip


def by_norm(largest: float) -> TrainSection:
    return TrainSection(clip_grad_norm=largest)


@pytest.mark.parametrize("largest", [0.1, 1.0, 5.0, 1e6])
def test_gradients_are_clipped_as_torch_clips_them(largest):
    torch.manual_seed(0)
    gradients = [torch.randn(3, 4), torch.randn(5), torch.randn(2, 2, 2)]
    weights = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(weights, largest)
    for clipped, weight in zip(clip(gradients, by_norm(largest)), weights, strict=True):
        assert torch.equal(clipped, weight.grad)


def test_the_norm_is_that_of_all_gradients_together():
    gradients = [torch.tensor([3.0]), torch.tensor([4.0])]
    assert torch.allclose(torch.cat(clip(gradients, by_norm(1.0))), torch.tensor([0.6, 0.8]))
    assert torch.equal(torch.cat(clip(gradients, by_norm(5.1))), torch.tensor([3.0, 4.0]))


@pytest.mark.parametrize("norm", [None, 1.0])
def test_numbers_of_gradients_are_clipped_as_torch_clips_them_and_before_the_norm(norm: float | None) -> None:
    torch.manual_seed(0)
    gradients = [torch.randn(3, 4), torch.randn(5), torch.ones(1, 2).expand(3, 2)]
    weights = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    torch.nn.utils.clip_grad_value_(weights, 0.5)
    if norm is not None:
        torch.nn.utils.clip_grad_norm_(weights, norm)
    clipped = clip(gradients, TrainSection(clip_grad_value=0.5, clip_grad_norm=norm))
    for found, weight in zip(clipped, weights, strict=True):
        assert torch.equal(found, weight.grad)
    assert float(gradients[2].max()) == 1.0  # not changed in place


def test_without_bounds_the_gradients_stay() -> None:
    gradients = [torch.randn(3)]
    assert clip(gradients, TrainSection()) is gradients


def test_a_mean_counts_each_batch_by_its_rows() -> None:
    rows = torch.randn(10, 3, dtype=torch.float64)
    mean, first = Mean(), [rows[:4].mean(0), rows[:4, 0].mean()]
    kept = [value.clone() for value in first]
    mean.add(first, 0.4)
    mean.add([rows[4:8].mean(0), rows[4:8, 0].mean()], 0.4)
    mean.add([rows[8:].mean(0), rows[8:, 0].mean()], 0.2)
    torch.testing.assert_close(mean.take(), [rows.mean(0), rows[:, 0].mean()], rtol=1e-14, atol=1e-15)
    assert all(map(torch.equal, first, kept))
    mean.add([torch.ones(3)], 1.0)
    assert torch.equal(mean.take()[0], torch.ones(3))  # of the next step alone
