"""Dropout from random words: on a processor torch draws a Bernoulli sample a number, which takes five times as long."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional

BITS = 16
"""Of the longest words. A number is dropped where its word, one of 2^bits, is below a threshold: p is rounded to a
65,536th."""
DTYPES = {8: torch.int8, 16: torch.int16}
"""What words are, by their bits: whole numbers with a sign."""

_divert: Callable[[int, int], torch.Tensor] | None = None


class RandomWords:
    """Room for random words, drawn anew into the same place: to make room takes longer than to draw."""

    def __init__(self, draws: Sequence[tuple[int, int]]):
        """`draws` says how many words, and of how many bits."""
        numbers = [-(-count * bits // 64) for count, bits in draws]
        self.numbers = torch.empty(sum(numbers), dtype=torch.int64)
        parts = zip(self.numbers.split(numbers), draws, strict=True)
        self.words = [part.view(DTYPES[bits])[:count] for part, (count, bits) in parts]
        """For each draw its words, every value alike."""

    def draw(self) -> list[torch.Tensor]:
        """The words, from torch's generator on the processor: those that as many calls of `draw_words` would give."""
        self.numbers.random_(-(2**63), None)
        return self.words


def draw_words(count: int, bits: int) -> torch.Tensor:
    """(count,) words of 8 or 16 bits, from torch's generator on the processor."""
    return RandomWords([(count, bits)]).draw()[0]


@contextlib.contextmanager
def diverted(take: Callable[[int, int], torch.Tensor]) -> Iterator[None]:
    """Have modules take their words from elsewhere, for whoever captures a step."""
    global _divert
    _divert = take
    try:
        yield
    finally:
        _divert = None


class Dropout(nn.Dropout):
    """While training, set each number to 0 with probability p and divide the others by 1 - p; otherwise x."""

    def __init__(self, p: float = 0.5):
        super().__init__(p)
        self.bits = 8 if (p * 2**8).is_integer() else BITS
        words = 2**self.bits
        dropped = round(p * words)
        self.threshold = dropped - words // 2
        self.scale = words / (words - dropped) if dropped < words else 0.0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or input.device.type != "cpu":
            return functional.dropout(input, self.p, self.training)
        words = (_divert or draw_words)(input.numel(), self.bits).view(input.shape)
        # 0 below the threshold and 1 from it on; whole numbers are exact, and compared they would take three times as
        # long.
        kept = words.to(torch.float32).sub_(self.threshold - 1).clamp_(0, 1)
        return input * kept.to(input.dtype).mul_(self.scale)
