"""Mixes of each row of a batch with another row."""

from __future__ import annotations

import torch
from torch import Tensor


def line(x: Tensor, other: Tensor, share_N: Tensor) -> Tensor:
    """`share*x + (1 - share)*other`, row by row, for two batches (N, ...) of numbers.

    Three operations, each rounded by itself: where torch computes them in one (`lerp`), the rounding may depend on the
    place in the batch.
    """
    share = share_N.to(x.dtype).view(-1, *[1] * (x.dim() - 1))
    return (x * share).add_(other * (1 - share))


def probabilities(target: Tensor, classes: int) -> Tensor:
    """(N, classes) float32: 1 for the class of each row; targets that are mixed already stay as they are."""
    if target.is_floating_point():
        return target
    return (target.unsqueeze(1) == torch.arange(classes, device=target.device)).to(torch.float32)
