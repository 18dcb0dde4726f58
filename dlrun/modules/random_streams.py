"""Random numbers that depend only on seed, epoch, row and position.

Each row has its own stream in each epoch, from the generator splitmix64. Each number of a stream is computed directly,
so there is no state. It is the same in every batch and on every device, since only integers and exact floats are used.
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
"""The number of random numbers in one part of a row's stream."""
PLACES = 2**16
"""The number of entries of a table of a distribution."""


def nth(seed: int, number: int) -> int:
    """Number `number`, counted from 0, of the splitmix64 stream that starts from `seed`: 64 bits."""
    z = (seed + (number + 1) * INCREMENT) & ALL
    z = ((z ^ (z >> 30)) * FACTORS[0]) & ALL
    z = ((z ^ (z >> 27)) * FACTORS[1]) & ALL
    return z ^ (z >> 31)


class RandomStream:
    """Random numbers for the rows of a batch; each call returns the next numbers of each row's stream.

    Args:
        streams: (N,), from `streams`.
        part: the part of the streams; different parts have no numbers in common.
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

    def chance(self, p: float, *shape: int) -> Tensor:
        """(N, *shape) bool, true with probability p, which is rounded to a multiple of 2**-32."""
        count = math.prod(shape)
        halves = self.bits(-(-count // 2)).view(torch.int32)[:, :count].reshape(-1, *shape)
        limit = round(p * 2**32) - 2**31
        return halves < limit if limit < 2**31 else torch.ones_like(halves, dtype=torch.bool)

    def below(self, limit: int | Tensor, *shape: int) -> Tensor:
        """(N, *shape) whole numbers, uniform from 0 to limit - 1; `limit` is less than 2**31."""
        return _shifted(self.bits(*shape), 32).mul_(limit) >> 32

    def pick(self, table: Tensor, *shape: int) -> Tensor:
        """(N, *shape, ...) entries of a table (PLACES, ...), chosen uniformly."""
        return table[_shifted(self.bits(*shape), 48)]

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) float32 of the standard normal distribution, up to 6.1.

        Each is the sum of two entries of a table with `PLACES` entries. A logarithm is not used, since each library
        rounds it differently.
        """
        count = math.prod(shape)
        places = self.bits(-(-count // 2)).view(torch.int16).to(torch.int32).add_(PLACES // 2)
        halves = _half_normal(self.streams.device).index_select(0, places.flatten()).view(len(self.streams), -1, 2)
        return (halves[..., 0] + halves[..., 1])[:, :count].reshape(-1, *shape)

    def beta(self, alpha: float, *shape: int) -> Tensor:
        """(N, *shape) float32 of the distribution Beta(alpha, alpha), entries of a table of its quantiles."""
        return self.pick(_beta(alpha, self.streams.device), *shape)


def streams(seed: int, epoch: int, rows: Tensor) -> Tensor:
    """The start of each row's stream in an epoch (N,).

    Args:
        seed: from 0 to 2**64 - 1.
        epoch: from 0 on.
        rows: (N,) int64, the rows' numbers.
    """
    return _mixed((rows + 1) * _signed(INCREMENT) + _signed(nth(seed, epoch)))


def _mixed(z: Tensor) -> Tensor:
    """The last steps of splitmix64, in place; products wrap around, as intended."""
    for shift, factor in zip((30, 27), FACTORS, strict=True):
        z = z.bitwise_xor_(_shifted(z, shift)).mul_(_signed(factor))
    return z.bitwise_xor_(_shifted(z, 31))


def _shifted(z: Tensor, count: int) -> Tensor:
    """64 bits shifted to the right with zeros filled in; int64 alone would fill in its sign."""
    return (z >> count).bitwise_and_((1 << (64 - count)) - 1)


def _signed(value: int) -> int:
    """The int64 with the same 64 bits."""
    value &= ALL
    return value - 2**64 if value >= 2**63 else value


@functools.cache
def _half_normal(device: torch.device) -> Tensor:
    """A table (PLACES,): the sum of two random entries has a normal distribution with variance 1."""
    values = [NormalDist().inv_cdf((place + 0.5) / PLACES) for place in range(PLACES)]
    variance = math.fsum(value * value for value in values) / PLACES
    return torch.tensor([value / math.sqrt(2 * variance) for value in values], dtype=torch.float32, device=device)


@functools.lru_cache(maxsize=32)
def _beta(alpha: float, device: torch.device) -> Tensor:
    """(PLACES,): evenly spaced quantiles of Beta(alpha, alpha)."""
    from scipy.special import betaincinv  # few runs need it

    places = (torch.arange(PLACES, dtype=torch.float64) + 0.5) / PLACES
    return torch.from_numpy(betaincinv(alpha, alpha, places.numpy())).to(device, torch.float32)
