"""Random numbers that are a function of where they are used: of seed, epoch, row and position, and of nothing else.

A row has in every epoch a stream of its own, that of the generator splitmix64. Any number of it is computed by itself,
so that no state is kept, and it is the same in whatever batch the row comes, and on every device: all of it is whole
numbers, and floats that are exact.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

import torch
from torch import Tensor

INCREMENT = 0x9E3779B97F4A7C15
FACTORS = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
ALL = 2**64 - 1
PART = 2**32
"""How many numbers of a row's stream belong to one part of it."""
PLACES = 2**16
"""At how many places of a distribution a table has its value."""


def nth(seed: int, number: int) -> int:
    """Number `number`, from 0 on, of the splitmix64 stream that starts from `seed`: 64 bits."""
    z = (seed + (number + 1) * INCREMENT) & ALL
    z = ((z ^ (z >> 30)) * FACTORS[0]) & ALL
    z = ((z ^ (z >> 27)) * FACTORS[1]) & ALL
    return z ^ (z >> 31)


class RandomStream:
    """Random numbers for the rows of a batch; each call gives every row the next ones of its stream.

    Args:
        streams: (N,), what `streams` gives.
        part: which part of the streams; different parts have no number in common.
    """

    def __init__(self, streams: Tensor, part: int = 0):
        self.streams, self._next = streams, part * PART

    def bits(self, *shape: int) -> Tensor:
        """(N, *shape) whole numbers of 64 random bits, int64."""
        count = math.prod(shape)
        first, self._next = self._next + 1, self._next + count
        if count == 1:
            return _mixed(self.streams + _signed(first * INCREMENT)).reshape(-1, *shape)
        steps = (
            torch.arange(count, device=self.streams.device).mul_(_signed(INCREMENT)).add_(_signed(first * INCREMENT))
        )
        return _mixed(self.streams.unsqueeze(1) + steps).reshape(-1, *shape)

    def uniform(self, *shape: int) -> Tensor:
        """(N, *shape) float32, uniform in [0, 1): multiples of 2**-24."""
        return _shifted(self.bits(*shape), 40).to(torch.float32).mul_(2.0**-24)

    def below(self, limit: int | Tensor, *shape: int) -> Tensor:
        """(N, *shape) whole numbers, each from 0 to limit - 1 as likely as the others; `limit` is less than 2**31."""
        return _shifted(self.bits(*shape), 32).mul_(limit) >> 32

    def pick(self, table: Tensor, *shape: int) -> Tensor:
        """(N, *shape, ...) entries of a table (PLACES, ...), each as likely as the others."""
        return table[_shifted(self.bits(*shape), 48)]

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) float32 of the standard normal distribution, up to 6.1.

        Each is the sum of two values of the distribution at one of `PLACES` equally likely places: no logarithm, which
        every library rounds in its own way.
        """
        count = math.prod(shape)
        places = self.bits(-(-count // 2)).view(torch.int16).to(torch.int32).add_(PLACES // 2)
        halves = _half_normal(self.streams.device).index_select(0, places.flatten()).view(len(self.streams), -1, 2)
        return (halves[..., 0] + halves[..., 1])[:, :count].reshape(-1, *shape)


def streams(seed: int, epoch: int, rows: Tensor) -> Tensor:
    """Where the stream of each row begins in an epoch (N,).

    Args:
        seed: from 0 to 2**64 - 1.
        epoch: from 0 on.
        rows: (N,) int64, the rows' numbers.
    """
    return _mixed((rows + 1) * _signed(INCREMENT) + _signed(nth(seed, epoch)))


def _mixed(z: Tensor) -> Tensor:
    """splitmix64's last steps, in place; products wrap around, as they should."""
    for shift, factor in zip((30, 27), FACTORS, strict=True):
        z = z.bitwise_xor_(_shifted(z, shift)).mul_(_signed(factor))
    return z.bitwise_xor_(_shifted(z, 31))


def _shifted(z: Tensor, count: int) -> Tensor:
    """64 bits moved to the right, zeros coming in; int64 alone would bring its sign in."""
    return (z >> count).bitwise_and_((1 << (64 - count)) - 1)


def _signed(value: int) -> int:
    """The int64 of the same 64 bits."""
    value &= ALL
    return value - 2**64 if value >= 2**63 else value


@functools.cache
def _half_normal(device: torch.device) -> Tensor:
    """Two picks of this table (PLACES,) add up to a normal number of variance 1."""
    values = [NormalDist().inv_cdf((place + 0.5) / PLACES) for place in range(PLACES)]
    variance = math.fsum(value * value for value in values) / PLACES
    return torch.tensor([value / math.sqrt(2 * variance) for value in values], dtype=torch.float32, device=device)
