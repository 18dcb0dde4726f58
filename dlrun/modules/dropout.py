"""Dropout from random words: on a processor torch draws a Bernoulli sample a number, which takes five times as long."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional

WORDS = 1 << 16
"""A number is dropped where its word, one of so many, is below a threshold: p is rounded to a 65,536th."""
PER_DRAW = 4
"""Words in one of the generator's 64-bit numbers."""

_divert: Callable[[int], torch.Tensor] | None = None


class Words:
    """Room for random words, drawn anew into the same place: to make room takes longer than to draw."""

    def __init__(self, counts: Sequence[int]):
        numbers = [(count + PER_DRAW - 1) // PER_DRAW for count in counts]
        self.numbers = torch.empty(sum(numbers), dtype=torch.int64)
        parts = self.numbers.view(torch.int16).split([PER_DRAW * number for number in numbers])
        self.words = [part[:count] for part, count in zip(parts, counts, strict=True)]
        """For each count so many int16, each from -32768 to 32767 alike."""

    def draw(self) -> list[torch.Tensor]:
        """The words, from torch's generator on the processor: those that as many calls of `draw_words` would give."""
        self.numbers.random_(-(2**63), None)
        return self.words


def draw_words(count: int) -> torch.Tensor:
    """(count,) int16, each from -32768 to 32767 alike, from torch's generator on the processor."""
    return Words([count]).draw()[0]


@contextlib.contextmanager
def diverted(take: Callable[[int], torch.Tensor]) -> Iterator[None]:
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
        dropped = round(p * WORDS)
        self.threshold = dropped - WORDS // 2
        self.scale = WORDS / (WORDS - dropped) if dropped < WORDS else 0.0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or input.device.type != "cpu":
            return functional.dropout(input, self.p, self.training)
        words = (_divert or draw_words)(input.numel()).view(input.shape)
        # 0 below the threshold and 1 from it on; whole numbers are exact, and compared they would take three times as
        # long.
        kept = words.to(torch.float32).sub_(self.threshold - 1).clamp_(0, 1)
        return input * kept.to(input.dtype).mul_(self.scale)
