"""The order of the rows in an epoch."""

from __future__ import annotations

import math

import torch

from dlrun.modules.random_streams import RandomStream, nth, streams

LISTED = 10_000_000
"""Of more rows the order is not kept as a list, which would take 8 bytes for each."""
ROUNDS = 8
"""Of the network below: of 4 rounds on, it cannot be told from a random order by its first rows."""
CHUNK = 1 << 16
"""Places of a long order that are computed together."""


class Order:
    """A permutation of the rows: a function of seed and epoch alone."""

    def __init__(self, seed: int, epoch: int, rows: int, device: torch.device):
        self.rows, self.device, self.seed = rows, device, nth(seed, epoch) >> 1
        self.listed: torch.Tensor | None = None
        self._chunk, self._kept = -1, torch.empty(0)
        if rows <= LISTED:
            generator = torch.Generator().manual_seed(self.seed)
            self.listed = torch.randperm(rows, generator=generator).to(device)

    def __len__(self) -> int:
        return self.rows

    def part(self, start: int, stop: int) -> torch.Tensor:
        """The rows at the places from `start` to `stop`, or to the end: (n,) int64, on the device."""
        stop = min(stop, self.rows)
        if self.listed is not None:
            return self.listed[start:stop]
        first, last = start // CHUNK, max(start, stop - 1) // CHUNK
        parts = [
            self._in_chunk(chunk)[max(0, start - chunk * CHUNK) : stop - chunk * CHUNK]
            for chunk in range(first, last + 1)
        ]
        return torch.cat(parts).to(self.device)

    def _in_chunk(self, chunk: int) -> torch.Tensor:
        if chunk != self._chunk:
            places = torch.arange(chunk * CHUNK, min((chunk + 1) * CHUNK, self.rows))
            self._chunk, self._kept = chunk, keyed_permutation(places, self.rows, self.seed)
        return self._kept


def keyed_permutation(places: torch.Tensor, rows: int, seed: int) -> torch.Tensor:
    """The images of some of the numbers below `rows` under a permutation of all of them, without a list of it.

    A number is written as two digits; each round adds to one digit a random function of the other, which can be taken
    back, so no two numbers meet. One that comes out too large goes through the rounds again.

    Args:
        places: (n,) int64.
        rows: how many numbers the permutation is of, less than 2**62.
        seed: the key, from 0 to 2**64 - 1.

    Reference: Black and Rogaway, Ciphers with arbitrary finite domains, 2002, method 3 (a generalized Feistel network).
    """
    base = math.isqrt(max(rows - 1, 0)) + 1
    upper = -(-rows // base)  # rows <= base * upper < rows + base
    found = _rounds(places, base, upper, seed)
    while (outside := (found >= rows).nonzero().flatten()).numel():
        found[outside] = _rounds(found[outside], base, upper, seed)
    return found


def _rounds(numbers: torch.Tensor, base: int, upper: int, seed: int) -> torch.Tensor:
    low, high = numbers % base, numbers // base
    for number in range(0, ROUNDS, 2):
        low = (low + _random(high, seed, number)) % base
        high = (high + _random(low, seed, number + 1)) % upper
    return high * base + low


def _random(digit: torch.Tensor, seed: int, number: int) -> torch.Tensor:
    """A random number from 0 to 2**62 - 1 for each value of a digit."""
    return RandomStream(streams(seed, number, digit)).bits().reshape(-1) & (2**62 - 1)
