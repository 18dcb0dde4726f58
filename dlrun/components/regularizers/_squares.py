"""The sum of the squares of many numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def sum_of_squares(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The sum of the squares of all numbers, a tensor with no axes."""
    import torch

    # The gradient of w * constant is the constant; twice that is the gradient of w**2, to the bit. torch's own of
    # `square` reads and writes all numbers three times instead of once.
    products = torch.stack([(tensor * tensor.detach()).sum() for tensor in tensors]).sum()
    return 2 * products - products.detach()
