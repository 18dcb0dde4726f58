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
    red, green, blue = x_N3HW.unbind(1)
    most, least = x_N3HW.amax(1), x_N3HW.amin(1)
    spread = most - least
    divisor = spread.where(spread > 0, 1.0)
    sixth = torch.where(most == green, (blue - red) / divisor + 2, (red - green) / divisor + 4)
    sixth = torch.where(most == red, (green - blue) / divisor, sixth) + 6 * turn_N.view(-1, 1, 1)
    sixth = _around(sixth)
    channels = []
    for begin in (5, 3, 1):
        place = _around(sixth + begin)
        channels.append(most - spread * torch.minimum(place, 4 - place).clamp_(0, 1))
    return torch.stack(channels, 1)


def _around(sixths: Tensor) -> Tensor:
    """Sixths of a circle from -6 to 12 as those from 0 to 6."""
    sixths = torch.where(sixths < 0, sixths + 6, sixths)
    return torch.where(sixths >= 6, sixths - 6, sixths)
