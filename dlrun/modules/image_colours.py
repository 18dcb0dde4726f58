"""The colours of batches of images (N, 3, H, W): red, green, blue. No image depends on the others."""

from __future__ import annotations

import torch
from torch import Tensor

GREY = 0.299, 0.587, 0.114
"""The shares of red, green and blue in the brightness that an eye sees: ITU-R BT.601."""


def grey(x_N3HW: Tensor) -> Tensor:
    """(N, 1, H, W): the brightness of each pixel."""
    red, green, blue = x_N3HW.split(1, 1)
    return (red * GREY[0]).add_(green * GREY[1]).add_(blue * GREY[2])


def hue_turned(x_N3HW: Tensor, turn_N: Tensor) -> Tensor:
    """Each pixel with its hue turned by a share of the circle of colours, from -1/2 to 1/2.

    The largest and the smallest of its three numbers stay, so its value and saturation do (HSV).
    """
    red, green, blue = x_N3HW.contiguous().unbind(1)
    most, least = torch.maximum(torch.maximum(red, green), blue), torch.minimum(torch.minimum(red, green), blue)
    spread = most - least
    divisor = spread.clamp(min=torch.finfo(spread.dtype).tiny)  # greys have no hue: 0 / tiny is 0
    sixth = torch.where(most == green, (blue - red) / divisor + 2, (red - green) / divisor + 4)
    sixth = torch.where(most == red, (green - blue) / divisor, sixth).add_(6 * turn_N.view(-1, 1, 1))
    turned = torch.empty_like(x_N3HW, memory_format=torch.contiguous_format)
    for channel, top in zip(turned.unbind(1), (0, 2, 4), strict=True):
        # The channel is full up to one sixth from its own hue, and falls from there to two sixths.
        away = sixth - top
        away.add_((away / 6).round_().mul_(-6)).abs_()
        share = away.neg_().add_(2).clamp_(0, 1)
        torch.add(least, share.mul_(spread), out=channel)
    return turned
