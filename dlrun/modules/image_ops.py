"""Operations on batches of images for augmentations. The result for an image does not depend on the other images."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dlrun.modules.random_streams import PLACES, RandomStream

Range = tuple[float, float]

TRIES = 10
"""How many sizes are drawn, of which the first that fits is used."""


def per_image(values_N: Tensor) -> Tensor:
    """(N, 1, 1, 1), to be broadcast to (N, C, H, W)."""
    return values_N.view(-1, 1, 1, 1)


def between(bounds: Range, shares: Tensor) -> Tensor:
    """Map shares from 0 to 1 to the range between the bounds."""
    low, high = bounds
    return shares * (high - low) + low


def windows(x_NCHW: Tensor, top_N: Tensor, left_N: Tensor, height: int, width: int) -> Tensor:
    """The part (height, width) of each image whose first pixel is (top, left)."""
    x_NCHW = x_NCHW.contiguous()
    channels, _, across = x_NCHW.shape[1:]
    size, plane = x_NCHW[0].numel(), x_NCHW[0, 0].numel()
    starts = torch.arange(len(x_NCHW), device=x_NCHW.device).mul_(size).add_(top_N * across).add_(left_N)
    last = x_NCHW.numel() - (channels - 1) * plane - (height - 1) * across - width
    every_part = x_NCHW.as_strided((last + 1, channels, height, width), (1, plane, across, 1))
    return every_part.index_select(0, starts)


def sizes(draw: RandomStream, area: int, scale: Range, ratio: Range) -> tuple[Tensor, Tensor]:
    """`TRIES` sizes for each row, both (N, TRIES) float64 and whole: a, b with a*b about scale*area, a/b = ratio.

    The ratio is as likely below as above its bounds' geometric mean.
    """
    areas = between(scale, draw.uniform(TRIES).double()) * area
    ratios = draw.pick(_ratios(*ratio, draw.streams.device), TRIES)
    return (areas * ratios).sqrt().round(), (areas / ratios).sqrt().round()


def first_that_fits(fits: Tensor, *tries: Tensor) -> tuple[Tensor, ...]:
    """The first of each row's tries (N, TRIES) that fits, (N,); any of them where none fits."""
    index = fits.to(torch.uint8).argmax(1, keepdim=True)
    return tuple(values.gather(1, index).squeeze(1) for values in tries)


def inside(start_N: Tensor, length_N: Tensor, size: int) -> Tensor:
    """(N, size): which positions of an axis are inside the part of each row."""
    place = torch.arange(size, device=start_N.device)
    return (place >= start_N.unsqueeze(1)) & (place < (start_N + length_N).unsqueeze(1))


def resized(x_NCHW: Tensor, top_N: Tensor, left_N: Tensor, height_N: Tensor, width_N: Tensor) -> Tensor:
    """A part of each image, resized bilinearly to the whole size; pixels outside the part are not used."""
    y_NH = _part(top_N, height_N, x_NCHW.shape[2], x_NCHW.dtype)
    x_NW = _part(left_N, width_N, x_NCHW.shape[3], x_NCHW.dtype)
    y, x = torch.broadcast_tensors(y_NH.unsqueeze(2), x_NW.unsqueeze(1))
    return _sampled(x_NCHW, y, x, "bilinear", "border")


def _part(start_N: Tensor, length_N: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """(N, size): the positions to read; centres of pixels are whole numbers."""
    start, length = start_N.to(dtype).unsqueeze(1), length_N.to(dtype).unsqueeze(1)
    place = torch.arange(size, device=start_N.device, dtype=dtype).add_(0.5)
    return (place * length / size - 0.5).clamp_(min=0).minimum(length - 1) + start


Matrix = tuple[Tensor, Tensor, Tensor, Tensor]
"""(a, b, c, d), each (N,): for each image the matrix [[a, b], [c, d]] of (x, y)."""


def turns(draw: RandomStream, degrees: Range) -> Matrix:
    """The matrix that leads from a pixel of the rotated image to that of the original; float64."""
    turn = draw.pick(_turns(*degrees, draw.streams.device))
    cos, sin = turn[:, 0], turn[:, 1]
    return cos, -sin, sin, cos


def sheared(draw: RandomStream, matrix: Matrix, along_x: Range, along_y: Range) -> Matrix:
    """The matrix with those that undo a shear along y, by x, and one along x, by y, after it."""
    device = draw.streams.device
    a, b, c, d = matrix
    if any(along_y):
        tan = draw.pick(_tangents(*along_y, device))
        c, d = c + a * tan, d + b * tan
    if any(along_x):
        tan = draw.pick(_tangents(*along_x, device))
        a, b = a + c * tan, b + d * tan
    return a, b, c, d


def moved(x_NCHW: Tensor, matrix: Matrix, mode: str, shift: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Each image by an affine map about its centre, with zeros outside.

    Args:
        x_NCHW: the images.
        matrix: leads from a pixel of the result to that of the image, both counted from the centre.
        mode: `nearest` or `bilinear`.
        shift: (x, y), each (N,): how many pixels the result is moved to the right and down.
    """
    a, b, c, d = (entry.to(x_NCHW.dtype).view(-1, 1, 1) for entry in matrix)
    height, width = x_NCHW.shape[2:]
    y = (torch.arange(height, device=x_NCHW.device, dtype=x_NCHW.dtype) - (height - 1) / 2).view(-1, 1)
    x = torch.arange(width, device=x_NCHW.device, dtype=x_NCHW.dtype) - (width - 1) / 2
    if shift is not None:
        right, down = (entry.to(x_NCHW.dtype).view(-1, 1, 1) for entry in shift)
        x, y = x - right, y - down
    from_y, from_x = x * c + y * d, x * a + y * b
    return _sampled(x_NCHW, from_y + (height - 1) / 2, from_x + (width - 1) / 2, mode, "zeros")


def _sampled(x_NCHW: Tensor, y_NHW: Tensor, x_NHW: Tensor, mode: str, padding_mode: str) -> Tensor:
    """The images at positions (N, H, W) in pixels."""
    height, width = x_NCHW.shape[2:]
    grid = torch.stack(((2 * x_NHW + 1) / width - 1, (2 * y_NHW + 1) / height - 1), 3)
    return functional.grid_sample(x_NCHW, grid, mode, padding_mode, align_corners=False)


def blurred(draw: RandomStream, x_NCHW: Tensor, sigma: Range, kernel: Sequence[int]) -> Tensor:
    """Each image convolved with a Gaussian of its own width, first down, then across; its edge is mirrored."""
    places = draw.below(PLACES)
    for dim, size in zip((2, 3), kernel, strict=True):
        half, length = size // 2, x_NCHW.shape[dim]
        weights = _gaussians(*sigma, half, x_NCHW.device)[places].to(x_NCHW.dtype)
        padded = functional.pad(x_NCHW, (0, 0, half, half) if dim == 2 else (half, half, 0, 0), "reflect")
        x_NCHW = x_NCHW * per_image(weights[:, 0])
        pair = torch.empty_like(x_NCHW)
        for away in range(1, half + 1):
            torch.add(padded.narrow(dim, half - away, length), padded.narrow(dim, half + away, length), out=pair)
            x_NCHW.add_(pair.mul_(per_image(weights[:, away])))
    return x_NCHW


def means(x_NCHW: Tensor) -> Tensor:
    """The mean of each image (N,), summed in a fixed order; the order of torch's sums depends on the batch size."""
    sums = x_NCHW.flatten(1)
    count = sums.shape[1]
    while (length := sums.shape[1]) > 1:
        half = length // 2
        folded = sums[:, :half] + sums[:, half : 2 * half]
        sums = torch.cat((folded, sums[:, 2 * half :]), 1) if length % 2 else folded
    return sums.squeeze(1) / count


@functools.lru_cache(maxsize=32)
def _ratios(low: float, high: float, device: torch.device) -> Tensor:
    """(PLACES,): ratios with evenly spaced logarithms."""
    log_low, log_high = math.log(low), math.log(high)
    places = ((place + 0.5) / PLACES for place in range(PLACES))
    values = [math.exp(log_low + (log_high - log_low) * share) for share in places]
    return torch.tensor(values, dtype=torch.float64, device=device)


@functools.lru_cache(maxsize=32)
def _turns(low: float, high: float, device: torch.device) -> Tensor:
    """(PLACES, 2): cosine and sine of evenly spaced angles. They are tables, since the rounding of a library's cosine
    may depend on the position in a tensor."""
    angles = [math.radians(low + (high - low) * (place + 0.5) / PLACES) for place in range(PLACES)]
    sides = [torch.tensor([side(angle) for angle in angles], dtype=torch.float64) for side in (math.cos, math.sin)]
    return torch.stack(sides, 1).to(device)


@functools.lru_cache(maxsize=32)
def _tangents(low: float, high: float, device: torch.device) -> Tensor:
    """(PLACES,): tangents of evenly spaced angles."""
    angles = (math.radians(low + (high - low) * (place + 0.5) / PLACES) for place in range(PLACES))
    return torch.tensor([math.tan(angle) for angle in angles], dtype=torch.float64, device=device)


@functools.lru_cache(maxsize=32)
def _gaussians(low: float, high: float, half: int, device: torch.device) -> Tensor:
    """(PLACES, half + 1): the weights of the middle and of those beside it, for evenly spaced widths."""
    width = low + (high - low) * (torch.arange(PLACES, dtype=torch.float64) + 0.5) / PLACES
    away = torch.arange(half + 1, dtype=torch.float64)
    weights = (-0.5 * (away / width.unsqueeze(1)).square()).exp()
    return (weights / (weights[:, :1] + 2 * weights[:, 1:].sum(1, keepdim=True))).to(device)
