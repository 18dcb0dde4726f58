"""One step of training: the gradients that are scaled down."""

from __future__ import annotations

import pytest
import torch

from dlrun.training.step import clip


@pytest.mark.parametrize("largest", [0.1, 1.0, 5.0, 1e6])
def test_gradients_are_clipped_as_torch_clips_them(largest):
    torch.manual_seed(0)
    gradients = [torch.randn(3, 4), torch.randn(5), torch.randn(2, 2, 2)]
    weights = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(weights, largest)
    for clipped, weight in zip(clip(gradients, largest), weights, strict=True):
        assert torch.equal(clipped, weight.grad)


def test_the_norm_is_that_of_all_gradients_together():
    gradients = [torch.tensor([3.0]), torch.tensor([4.0])]
    assert torch.allclose(torch.cat(clip(gradients, 1.0)), torch.tensor([0.6, 0.8]))
    assert torch.equal(torch.cat(clip(gradients, 5.1)), torch.tensor([3.0, 4.0]))
